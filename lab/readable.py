"""Formats command output for the practice: JSON as rows and fields, and a limited number of lines."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .display import columns

LINES = 12
WIDTH = 160
ROWS = 3  # The most rows that are shown. If there are more, only their number is printed.


def readable(answer: str) -> list[str]:
    """The lines to show of an answer. JSON becomes a table, or one line for each field."""
    whole = _json(answer)
    lines = (
        _told(whole)
        if whole is not None
        else [one for line in answer.strip("\n").splitlines() for one in _line(line)]
    )
    shown = [line if len(line) <= WIDTH else f"{line[:WIDTH]} …" for line in lines[:LINES]]
    return shown + ([f"… {len(lines) - LINES} lines more"] if len(lines) > LINES else [])


def in_words(seen: object) -> str:
    """A value as text, with semicolons between the rows of a table and commas between fields."""
    if isinstance(seen, Mapping):
        return ", ".join(f"{name} {_value(value)}" for name, value in seen.items()) or "nothing"
    if isinstance(seen, list | tuple | set):
        deep = any(isinstance(one, list) for one in seen)
        if deep and len(seen) > ROWS:
            return f"{len(seen)} rows"
        return ("; " if deep else ", ").join(in_words(one) for one in seen) or "nothing"
    return str(seen)


def _line(line: str) -> list[str]:
    """One line of output. A JSON object, as a console consumer prints for a record, is formatted."""
    found = _json(line) if line.startswith("{") else None
    return [line] if found is None else _told(found)


def _json(text: str) -> Any:
    """The JSON object or list in a text; None if it is something else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _told(found: Any) -> list[str]:
    if isinstance(found, list):
        if found and all(isinstance(one, dict) for one in found):
            return _table(found)
        return [in_words(found) if found else "[]"]
    if found.keys() == {"schema", "payload"}:
        fields = (found["schema"] or {}).get("fields", [])
        types = ", ".join(f"{one.get('field')} {one.get('type')}" for one in fields)
        return [f"schema   {types}", f"payload  {in_words(found['payload'] or {})}"]
    line = in_words(found)
    return (
        [line]
        if len(line) <= WIDTH
        else columns([[name, _value(found[name])] for name in found]).splitlines()
    )


def _table(found: list[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for one in found for name in one))
    rows: Iterable[list[str]] = [[_value(one.get(name, "")) for name in names] for one in found]
    return columns([names, *rows]).splitlines()


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
