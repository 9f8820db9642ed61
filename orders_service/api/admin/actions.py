"""The record of operators' actions over HTTP: `/admin/actions`."""

from flask import jsonify
from flask.typing import ResponseReturnValue

from orders_service.api.admin import sessions
from orders_service.api.admin.blueprint import admin
from orders_service.operations import actions

RUNNING = "It is still running, or its process was killed."


@admin.get("/actions")
def list_actions() -> ResponseReturnValue:
    """The newest actions of both databases, newest first."""
    found, problem = sessions.of_each(actions.newest)
    found.sort(key=lambda row: row.done_at, reverse=True)
    listed = [
        {
            "at": row.done_at.isoformat(timespec="microseconds"),
            "by": row.done_by,
            "action": row.action,
            "on": row.target,
            "outcome": row.outcome or RUNNING,
        }
        for row in found[: actions.LISTED]
    ]
    return jsonify(actions=listed, problem=problem)
