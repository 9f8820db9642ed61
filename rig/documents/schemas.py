"""The JSON Schema of each event (draft 2020-12), derived from `contract/events.py` and its limits."""

from typing import Any

from orders_service.contract import facts
from orders_service.contract.events import (
    Event,
    OrderCancelled,
    OrderPlaced,
    Reason,
    StockRejected,
    StockReserved,
)
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, REASON_MAX, TEXT_MAX

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# What `contract/fields.py` accepts as a text.
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]+$"
EVENTS: tuple[type[Event], ...] = (OrderPlaced, OrderCancelled, StockReserved, StockRejected)
ABOUT = {
    "orderId": "The id of the order.",
    "productId": "The id of the product.",
    "qty": "The number of pieces.",
    "unitPrice": "The price of a piece, in the currency's smallest unit.",
    "totalPrice": "`qty` times `unitPrice`.",
    "userId": "The id of the user who placed the order.",
    "reason": f"Why no piece was reserved: {', '.join(Reason)}.",
}
OPTIONAL = "This service always sends the members that are not required; another producer may leave them out."


def schemas() -> dict[str, Schema]:
    """All schemas, by the type of the event."""
    return {event.type: _schema(event) for event in EVENTS}


def _schema(event: type[Event]) -> Schema:
    properties = _properties(event)
    optional = {facts.camel_case(name) for name, *_ in facts.OPTIONAL}
    about = (event.__doc__ or "").partition("\n\n")[0]
    return {
        "$schema": DIALECT,
        "$id": f"/schemas/{event.type}.json",
        "title": event.type,
        "description": f"{about} {OPTIONAL}" if optional & properties.keys() else about,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _properties(event: type[Event]) -> Schema:
    if event in (OrderPlaced, OrderCancelled):
        found = {name: _fact(name) for name in facts.JSON_NAMES}
    else:
        found = {name: _fact(name) for name in ("orderId", "productId", "qty")}
    if event is OrderCancelled:
        found["qty"] = _whole(
            "qty", -INT_MAX, -1, "It is negative: a catalog that only subtracts puts the pieces back."
        )
    if event is StockRejected:
        found["reason"] = _text("reason", REASON_MAX)
    return found


def _fact(name: str) -> Schema:
    fact = list(facts.FACTS)[facts.JSON_NAMES.index(name)]
    if not facts.is_number(fact):
        return _text(name, PRODUCT_ID_MAX if name == "productId" else TEXT_MAX)
    return _whole(name, 1 if name == "qty" else 0, INT_MAX)


def _whole(name: str, least: int, most: int, more: str = "") -> Schema:
    about = " ".join(filter(None, (ABOUT.get(name, ""), more)))
    return {"type": "integer", "minimum": least, "maximum": most, "description": about}


def _text(name: str, most: int) -> Schema:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": most,
        "pattern": PRINTABLE,
        "description": ABOUT.get(name, ""),
    }
