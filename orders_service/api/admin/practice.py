"""The practice of `run`: `/admin/practice`. Only `run` has these routes, so they are not in the documents."""

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from orders_service.api.admin import changes, sessions
from orders_service.api.admin.blueprint import require_allowed_host, require_json
from orders_service.api.practice.practice import Practice
from orders_service.operations import actions

NO_FIELDS = changes.Change()

practice = Blueprint("practice", __name__, url_prefix="/admin/practice")
practice.before_request(require_allowed_host)
practice.before_request(require_json)


@practice.get("")
def show() -> ResponseReturnValue:
    """Every fault with its state, and what became of it."""
    return jsonify(faults=_practice().shown())


@practice.post("/<fault>")
def press(fault: str) -> ResponseReturnValue:
    """Cause a fault, or undo the one that lasts. The answer comes at once: `show` tells what became of it."""
    if fault not in _practice():
        raise NotFound("There is no such fault. GET /admin/practice lists all.")
    content = changes.load(NO_FIELDS)
    with sessions.session_of("orders") as session:
        request = changes.action("practice", fault, content)
        return changes.answer(actions.in_parts(session, request, lambda: _pressed(fault)))


def _pressed(fault: str) -> actions.Answer:
    why = _practice().press(fault)
    return {
        "done": f"Nothing was done. {why}" if why else "It has begun.",
        "started": not why,
        "command": None,
    }


def _practice() -> Practice:
    found: Practice = current_app.extensions["practice"]
    return found
