"""Decisions about dead letters over HTTP: replay, discard, hold and release."""

import shlex
from functools import partial
from typing import Any

from flask import Response, jsonify
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError, fields

from orders_service.api.admin import changes, sessions
from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.changes import Change, Flag
from orders_service.api.errors import InvalidFields
from orders_service.api.requests import KeyText
from orders_service.contract.limits import TEXT_MAX
from orders_service.events.dead_letter_search import NotARecordId, RecordId
from orders_service.operations import actions, decisions, letters
from orders_service.operations.command_line import command_line
from orders_service.operations.decisions import Cursor, NotACursor, Part, Source
from orders_service.operations.letters import Decision, Operator, Selection
from orders_service.workers import build

MOST = 1000  # Letters that one request decides about.
SECONDS = 20.0  # After this time it looks at no other letter: the client then asks for the rest.
LEFT_SHOWN = 100
CURSOR_MAX = 4096
REASON_MAX, GROUP_MAX, ERROR_MAX = 32, 255, 1000
SELECTING = ("reason", "error", "group", "all")
MADE = {"replay": build.handler, "discard": build.discard_handler}


class RecordIdText(fields.Field[RecordId]):
    """A record id: `topic-partition@offset`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> RecordId:
        try:
            return RecordId.parse(value if isinstance(value, str) else "")
        except NotARecordId:
            raise ValidationError("must be a record id: topic-partition@offset") from None


class CursorText(fields.Field[Cursor]):
    """The `next` of an answer before."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Cursor:
        try:
            return Cursor.parse(value if isinstance(value, str) and len(value) <= CURSOR_MAX else "")
        except NotACursor:
            raise ValidationError("must be `next` of an answer before") from None


class LetterDecision(Change):
    """The body of a decision: which dead letters, and why."""

    record_id = RecordIdText(data_key="recordId")
    reason = KeyText(REASON_MAX, required=False)
    error = KeyText(ERROR_MAX, required=False)
    group = KeyText(GROUP_MAX, required=False)
    all = Flag()
    held = Flag()
    note = KeyText(TEXT_MAX, required=False)
    dry_run = Flag(data_key="dryRun")
    after = CursorText()


DECISION = LetterDecision()


@admin.post("/dead-letters/replay")
def replay_dead_letters() -> ResponseReturnValue:
    """Give dead letters to their handlers again."""
    return _decide("replay")


@admin.post("/dead-letters/discard")
def discard_dead_letters() -> ResponseReturnValue:
    """Give dead letters up."""
    return _decide("discard")


@admin.post("/dead-letters/hold")
def hold_dead_letters() -> ResponseReturnValue:
    """Keep dead letters, but do not count them."""
    return _decide("hold")


@admin.post("/dead-letters/release")
def release_dead_letters() -> ResponseReturnValue:
    """Let dead letters that are on hold wait again."""
    return _decide("release")


def _decide(decision: Decision) -> Response:
    values = changes.load(DECISION)
    selection = _selection(values)
    note, dry_run = values.get("note"), values.get("dry_run", False)
    made = MADE.get(decision)
    operator = Operator(
        decision=decision,
        by=changes.operator(),
        note=note,
        handlers=letters.handlers(changes.settings(), made) if made else {},
        dry_run=dry_run,
    )
    after = values.pop("after", None)
    if dry_run:
        return jsonify(_answer(operator, selection, after))
    content = values if after is None else values | {"after": after.text}
    request = changes.action(
        f"dead-letters {decision}", shlex.join([*selection.arguments, *selection.options]), content
    )
    with sessions.session_of("orders") as session:
        return changes.answer(actions.in_parts(session, request, lambda: _answer(operator, selection, after)))


def _selection(values: dict[str, Any]) -> Selection:
    selected = [name for name in SELECTING if values.get(name)]
    if "record_id" in values and {*selected} - {"group"}:
        raise InvalidFields({"recordId": "selects one dead letter: leave out reason, error and all"})
    if "record_id" not in values and not selected:
        raise InvalidFields({"recordId": "is missing, and so are reason, error, group and all"})
    named = ("record_id", "reason", "error", "group", "held")
    return Selection(**{name: values[name] for name in named if name in values})


def _answer(operator: Operator, selection: Selection, after: Cursor | None) -> dict[str, Any]:
    """Carry the decision out, for at most `MOST` letters, and say what came of it."""
    part = decisions.decide(operator, selection, _sources(), after=after, most=MOST, seconds=SECONDS)
    left = [(letter, problem) for letter, problem in part.decided if problem]
    changed = len(part.decided) - len(left)
    return {
        "done": _sentence(operator, part, changed),
        "command": _command(operator, selection),
        "matched": len(part.decided),
        "changed": 0 if operator.dry_run else changed,
        "wouldChange": changed if operator.dry_run else None,
        "left": [
            {"recordId": str(letter.record_id), "group": letter.group, "why": problem}
            for letter, problem in left[:LEFT_SHOWN]
        ],
        "more": part.next is not None,
        "next": part.next.text if part.next else None,
        "problem": " ".join(map(sessions.away, part.away)) or None,
    }


def _sources() -> list[Source]:
    return [Source(names, partial(sessions.session_of, names[0])) for names in sessions.separate()]


def _sentence(operator: Operator, part: Part, changed: int) -> str:
    left = len(part.decided) - changed
    if not part.decided and part.next:
        return "No dead letter matched so far. There are more to look at."
    if not part.decided:
        return "No dead letter matched, so nothing was done."
    done = letters.DONE[operator.decision]
    would = "would be" if operator.dry_run else "was" if changed < 2 else "were"
    text = f"{_counted(changed)} {would} {done}"
    return f"{text}; {left} could not be." if left else f"{text}."


def _counted(count: int) -> str:
    return f"{count} dead letters" if count > 1 else "1 dead letter" if count else "No dead letter"


def _command(operator: Operator, selection: Selection) -> str:
    options = ["--note", operator.note] if operator.note else []
    options += ["--dry-run"] if operator.dry_run else []
    options += selection.options
    return command_line("dead-letters", operator.decision, arguments=selection.arguments, options=options)
