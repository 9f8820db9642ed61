"""Dead letters as JSON, for `dead-letters list --json`, `groups --json` and `show`."""

import json

from orders_service.events import dead_letters
from orders_service.events.dead_letter_search import Summary
from orders_service.events.tables import DeadLetter


def summary_json(letter: Summary) -> dict[str, object]:
    return {
        "record": str(letter.record_id),
        "timestamp": letter.record_timestamp,
        "group": letter.group,
        "reason": letter.reason,
        "detail": letter.detail,
        "state": letter.state,
        "createdAt": letter.created_at.isoformat(),
        "resolution": letter.resolution,
        "resolvedBy": letter.resolved_by,
        "resolvedAt": letter.resolved_at and letter.resolved_at.isoformat(),
        "heldBy": letter.held_by,
        "heldAt": letter.held_at and letter.held_at.isoformat(),
        "note": letter.note,
    }


def record_json(letter: DeadLetter) -> dict[str, object]:
    record = dead_letters.record_of(letter)
    return {
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")


def indented_json(facts: dict[str, object]) -> str:
    """Indented JSON that is safe to print: if a character is not printable, all non-ASCII is escaped."""
    plain = json.dumps(facts, ensure_ascii=False)
    return json.dumps(facts, indent=2, ensure_ascii=not plain.isprintable())
