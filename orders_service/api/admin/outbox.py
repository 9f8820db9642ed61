"""The outboxes over HTTP: `/admin/outbox`."""

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy.exc import SQLAlchemyError

from orders_service import resources
from orders_service.api.admin import changes, sessions, views
from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.changes import Change, Flag
from orders_service.api.admin.views import Json
from orders_service.database.columns import utc_now
from orders_service.events import set_aside
from orders_service.events.requeue import requeue_set_aside
from orders_service.events.set_aside import LATELY
from orders_service.operations import actions, outboxes
from orders_service.operations.command_line import command_line
from orders_service.operations.outboxes import Lane
from orders_service.printable import printable, without_passwords
from orders_service.processes import DATABASES, DatabaseName

ONE_DATABASE = f"must be {' or '.join(DATABASES)}"


class Requeued(Change):
    """The body of a request that sends events again which were set aside."""

    database = fields.String(
        required=True,
        validate=validate.OneOf(DATABASES, error=ONE_DATABASE),
        error_messages={"required": "is missing", "null": "must not be null", "invalid": ONE_DATABASE},
    )
    dry_run = Flag(data_key="dryRun")


REQUEUED = Requeued()
SHOWN = 50  # Events that were set aside.
OUTBOX_SECONDS = 1.0
NONE = "No event was set aside."


@admin.get("/outbox")
def show_outbox() -> ResponseReturnValue:
    """The lanes of each outbox with their relay, and the events that were set aside."""
    return views.show("outbox")


def outbox() -> Json:
    """The outboxes of all databases."""
    return {"databases": [_shown(name) for name in DATABASES]}


@admin.post("/outbox/requeue")
def requeue_outbox() -> ResponseReturnValue:
    """Send the events again that the broker refused permanently."""
    values = changes.load(REQUEUED)
    database: DatabaseName = values["database"]
    by_relay = not resources.is_sent_by_debezium(changes.settings(), database)
    command = command_line("outbox", "requeue", "--database", database, "--set-aside")
    is_dry_run = values.pop("dry_run", False)
    request = changes.action("outbox requeue", database, values)
    if is_dry_run:
        with sessions.reading(database) as session:
            count = set_aside.count(session, LATELY)
        done = f"{_events(count)} of {database} would be sent again." if count else NONE
        return jsonify(done=done, command=command, changed=0, wouldChange=count)
    with sessions.session_of(database) as session:

        def work() -> dict[str, Any]:
            count = requeue_set_aside(session, pending=by_relay, newest=LATELY)
            done = f"{_events(count)} of {database} will be sent again." if count else NONE
            return {"done": done, "command": command, "changed": count, "wouldChange": None}

        return changes.answer(actions.in_parts(session, request, work))


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _nothing(name: DatabaseName) -> Json:
    return {"name": name, "lanes": [], "setAside": [], "searched": LATELY, "problem": None}


def _shown(name: DatabaseName) -> Json:
    """The outbox of a database."""
    found = _nothing(name)
    try:
        with sessions.reading(name) as session:
            found["lanes"] = [_lane(lane) for lane in outboxes.lanes(session)]
            found["setAside"] = [
                {
                    "id": row.id,
                    "type": row.type,
                    "orderId": row.aggregateid,
                    "topic": row.topic,
                    "error": printable(without_passwords(row.error)),
                    "at": row.created_at.isoformat(timespec="microseconds"),
                }
                for row in set_aside.newest(session, SHOWN)
            ]
    except SQLAlchemyError:
        found["problem"] = sessions.away(name)
    return found


def _lane(lane: Lane) -> Json:
    return {
        "topic": lane.topic,
        "pending": lane.pending,
        "oldestSeconds": lane.oldest and _seconds((utc_now() - lane.oldest).total_seconds()),
        "owner": lane.owner,
        "leaseSeconds": None if lane.lease_seconds is None else _seconds(lane.lease_seconds),
    }


def _seconds(seconds: float) -> float:
    return round(max(0.0, seconds), 1)


# What is shown if the databases take too long.
LATE: Json = {"databases": [_nothing(name) | {"problem": sessions.away(name)} for name in DATABASES]}
