"""Dead letters over HTTP: `/admin/dead-letters`. `letter_changes.py` has what changes them."""

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from orders_service.api import lists
from orders_service.api.admin import sessions, views
from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.views import Json
from orders_service.api.lists import Readers
from orders_service.api.problems import later, problem
from orders_service.events import dead_letter_search, dead_letters, dead_letters_by_state
from orders_service.events.dead_letter_search import ANY_STATE, UNRESOLVED, Filter, RecordId, State, Summary
from orders_service.operations import letters, records

READ_MOST = 1_000  # The newest letters of a state and database that are looked at.
GROUPS_MOST = 200
LISTED = 50
STATES = {
    "waiting": frozenset({State.WAITING}),
    "hold": frozenset({State.HOLD}),
    "resolved": ANY_STATE - UNRESOLVED,
}

# What is shown if the databases take too long.
NO_GROUPS: Json = {
    "groups": [],
    "waiting": 0,
    "onHold": 0,
    "more": True,
    "problem": f"The databases did not answer within {views.PATIENCE_SECONDS:.0f} s.",
}
GROUPS_SECONDS = 2.0  # Grouping 1,000 letters takes about 35 ms.

FILTERS: Readers = {
    "reason": str,
    "error": str,
    "group": str,
    "state": lists.one_of(STATES),
    "limit": lists.PAGE["limit"],
}


@admin.get("/dead-letters/groups")
def group_dead_letters() -> ResponseReturnValue:
    """The unresolved dead letters by cause."""
    return views.show("dead-letter-groups")


def groups() -> Json:
    """The groups of both databases."""
    found: list[Summary] = []
    waiting, on_hold, more, problems = 0, 0, False, []
    for name, *_ in sessions.separate():
        try:
            with sessions.reading(name) as session:
                waiting += dead_letters.count(session)
                on_hold += dead_letters.count_on_hold(session)
                read = _newest(session, Filter(), READ_MOST, READ_MOST)
        except SQLAlchemyError:
            problems.append(sessions.away(name))
        else:
            found += read
            more |= len(read) >= READ_MOST
    by_cause = letters.groups(found)
    return {
        "groups": [group.as_json() for group in by_cause[:GROUPS_MOST]],
        "waiting": waiting,
        "onHold": on_hold,
        "more": more or len(by_cause) > GROUPS_MOST,
        "problem": " ".join(problems) or None,
    }


@admin.get("/dead-letters")
def list_dead_letters() -> ResponseReturnValue:
    """The newest dead letters, newest first."""
    values = lists.load(FILTERS)
    limit, states = values.pop("limit", LISTED), STATES.get(values.pop("state", ""), UNRESOLVED)
    only = Filter(**values, states=states)
    among = READ_MOST if values else limit  # No index finds a reason, an error or a group.
    found, away = sessions.of_each(lambda session: _newest(session, only, limit, among))
    found.sort(key=lambda letter: letter.created_at, reverse=True)
    return jsonify(deadLetters=[_as_json(letter) for letter in found[:limit]], problem=away)


@admin.get("/dead-letters/<record_id>")
def show_dead_letter(record_id: str) -> ResponseReturnValue:
    """A dead letter with its record; of several with this id the newest."""
    group = lists.load({"group": str}).get("group")
    try:
        only = Filter(record_id=RecordId.parse(record_id), group=group, states=ANY_STATE)
    except dead_letter_search.NotARecordId as error:
        raise NotFound(f"{error}.") from error
    found, away = sessions.of_each(lambda session: _with_record(session, only))
    if found:
        return jsonify(found[0])
    if away:
        return later(problem("database-unavailable", away))
    raise NotFound("There is no such dead letter. GET /admin/dead-letters lists them.")


def _with_record(session: Session, only: Filter) -> list[Json]:
    """The newest letter that matches *only*, with its record."""
    found = sorted(dead_letter_search.find(session, only), key=lambda one: one.created_at, reverse=True)
    for letter in found:
        if whole := dead_letter_search.whole(session, letter):
            record = dead_letters.record_of(whole)
            shown = _as_json(letter) | {"detail": whole.detail, "record": records.as_json(record)}
            return [shown | {"orderId": records.order_id_of(record)}]
    return []


def _newest(session: Session, only: Filter, most: int, among: int) -> list[Summary]:
    """The newest *most* letters that match *only*, newest first, of the newest *among* of each state."""
    found = [
        letter
        for state in sorted(only.states)
        for letter in dead_letters_by_state.newest(session, state, among)
        if only.has(letter)
    ]
    return sorted(found, key=lambda letter: letter.created_at, reverse=True)[:most]


def _as_json(letter: Summary) -> dict[str, Any]:
    by, at = letter.resolved_by, letter.resolved_at
    if letter.state == State.HOLD:
        by, at = letter.held_by, letter.held_at
    return {
        "recordId": str(letter.record_id),
        "group": letter.group,
        "reason": letter.reason,
        "error": letter.error,
        "detail": letter.detail,
        "at": letter.created_at.isoformat(timespec="microseconds"),
        "state": letter.state,
        "by": by,
        "stateAt": at and at.isoformat(timespec="microseconds"),
        "note": letter.note,
    }
