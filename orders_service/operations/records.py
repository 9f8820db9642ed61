"""A stored record as text, for people: whatever bytes it has, and however many."""

from collections.abc import Callable
from typing import Any

from orders_service.contract import wire
from orders_service.contract.errors import Unreadable
from orders_service.events.brokers.port import Record
from orders_service.events.consumer import event_of
from orders_service.printable import printable, printable_lines

TEXT_BYTES = 64 * 1024  # The most bytes that are shown of a key, a header or a value.
HEADERS = 100  # The most headers that are shown.


def as_json(record: Record) -> dict[str, Any]:
    """The key, the headers and the value of a record. *cut* says that something was left out."""
    parts = [record.key, record.value, *(value for _, value in record.headers)]
    return {
        "key": _text(record.key, printable),
        "headers": [
            [printable(name[:TEXT_BYTES]), _text(value, printable)]
            for name, value in record.headers[:HEADERS]
        ],
        "value": _text(record.value, printable_lines),
        "cut": len(record.headers) > HEADERS or any(len(part or b"") > TEXT_BYTES for part in parts),
    }


def order_id_of(record: Record) -> str | None:
    """The id of the order that the record is about, printable; None if it cannot be read."""
    try:
        event = event_of(record)
    except Unreadable:
        event = None
    found = event.order_id if event else wire.header(record.headers, "ce_subject")
    return printable(found) if found else None


def _text(value: bytes | None, shown: Callable[[str], str]) -> str | None:
    """The text of *value*. Bytes that are not UTF-8, and invisible characters, are shown as escapes."""
    return None if value is None else shown(value[:TEXT_BYTES].decode(errors="backslashreplace"))
