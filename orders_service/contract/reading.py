"""Reads an event from the value of a record."""

from collections.abc import Callable
from dataclasses import replace

from orders_service.contract.errors import Unreadable
from orders_service.contract.events import Event, OrderCancelled, OrderPlaced, StockRejected, StockReserved
from orders_service.contract.fields import Data, json_object
from orders_service.printable import printable

# The function that reads an event of a type from a record's value. It raises `Unreadable`.
BY_TYPE: dict[str, Callable[[Data], Event]] = {
    event.type: event.from_data for event in (OrderPlaced, OrderCancelled, StockReserved, StockRejected)
}
NAMES_WITHOUT_VERSION = {name.rpartition(".")[0] for name in BY_TYPE}


def read_event(type_: str | None, value: bytes | None, traceparent: str | None = None) -> Event | None:
    """Read the event from a record's value. None if its type is not ours.

    A record without a type is the course's: an order placed or, with a negative `qty`, cancelled. Raises
    `Unreadable` for a value that is not an event of its type, and for an unknown version of our types.
    """
    if type_ is not None and type_ not in BY_TYPE:
        if type_.rpartition(".")[0] in NAMES_WITHOUT_VERSION:
            raise Unreadable(f"{printable(type_)}: this consumer does not know this version")
        return None
    data = json_object(value)
    if type_ is None:
        qty = data.get("qty")
        type_ = (OrderCancelled if type(qty) is int and qty < 0 else OrderPlaced).type
    event = BY_TYPE[type_](data)
    return event if traceparent is None else replace(event, traceparent=traceparent)
