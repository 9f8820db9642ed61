"""The events that other services may rely on: names, topics, keys, values. `docs/events.md` explains them."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from uuid_utils import UUID, uuid5

from orders_service.events.errors import Invalid, Unreadable
from orders_service.events.fields import INT_MAX, Data, integer, json_object, or_none, text
from orders_service.events.sink import ROW_SCHEMA
from orders_service.printable import printable

NAMESPACE = UUID("6f2c9a54-3d0e-5b8a-9c41-7be0f5d1a2c3")
TEXT_MAX = 255
PRODUCT_ID_MAX = 120
REASON_MAX = 64


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact about one order, with the trace that caused it."""

    type: ClassVar[str]

    order_id: str
    product_id: str
    qty: int
    traceparent: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The event id: derived from type and order id, so that a fact recorded again is the same event."""
        return str(uuid5(NAMESPACE, f"{self.type}:{self.order_id}"))

    @property
    def key(self) -> str:
        """The record's key, which decides the partition."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The record's value, as it is sent in JSON."""
        raise NotImplementedError

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        """Read the event from a record's value; raises `Unreadable`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class OrderEvent(Event):
    """The base of the events that the orders service sends to the catalog.

    Its key is the product: who gets the last piece is decided by the order of the events in the log.
    """

    sign: ClassVar[int]

    unit_price: int | None = None
    total_price: int | None = None
    user_id: str | None = None

    @property
    def key(self) -> str:
        return self.product_id

    def data(self) -> dict[str, Any]:
        return {
            "productId": self.product_id,
            "qty": self.sign * self.qty,
            "unitPrice": self.unit_price,
            "totalPrice": self.total_price,
            "orderId": self.order_id,
            "userId": self.user_id,
        }


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """An order was placed. The catalog reserves stock for it, or rejects it."""

    type = "order.placed.v1"
    sign = 1

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        """The order, or an `InvalidOrder` if a value other than its ids is wrong or missing."""
        facts: dict[str, Any] = {
            "order_id": text(data, "orderId", TEXT_MAX),
            "product_id": text(data, "productId", PRODUCT_ID_MAX),
        }
        try:
            qty = integer(data, "qty", 1, INT_MAX)
        except Invalid as error:
            return InvalidOrder(**facts, qty=0, problem=str(error))
        facts |= {"qty": qty, "user_id": or_none(text, data, "userId", TEXT_MAX)}
        price, total = data.get("unitPrice"), data.get("totalPrice")
        if price is not None:
            try:
                integer(data, "unitPrice", 0, INT_MAX)
            except Invalid as error:
                return InvalidOrder(**facts, problem=str(error))
            if type(total) is int and total != qty * price:
                return InvalidOrder(**facts, problem="totalPrice: must be qty times unitPrice")
        return cls(
            **facts,
            unit_price=price,
            total_price=or_none(integer, data, "totalPrice", 0, INT_MAX),
        )


@dataclass(frozen=True, kw_only=True)
class InvalidOrder(OrderPlaced):
    """A placed order with a wrong value. The catalog can answer it, and rejects it.

    Its `qty` is 0 if the qty is what was wrong or missing.
    """

    problem: str


@dataclass(frozen=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """A placed order was cancelled; the stock that was reserved for it is released.

    On the wire its `qty` is negated: the course's catalog, which only subtracts, then adds.
    """

    type = "order.cancelled.v1"
    sign = -1

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        """The cancellation. It does not depend on prices: a wrong one is left out."""
        return cls(
            order_id=text(data, "orderId", TEXT_MAX),
            product_id=text(data, "productId", PRODUCT_ID_MAX),
            qty=-integer(data, "qty", -INT_MAX, -1),
            unit_price=or_none(integer, data, "unitPrice", 0, INT_MAX),
            total_price=or_none(integer, data, "totalPrice", 0, INT_MAX),
            user_id=or_none(text, data, "userId", TEXT_MAX),
        )


@dataclass(frozen=True, kw_only=True)
class OrderRow(OrderEvent):
    """A placed order as a row for a Kafka Connect sink, as in the `orders` topic of the course."""

    type = "orders.sink.v1"
    sign = 1

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        row = {
            "order_id": self.order_id,
            "user_id": self.user_id,
            "product_id": self.product_id,
            "qty": self.qty,
            "unit_price": self.unit_price,
            "total_price": self.total_price,
        }
        return {"schema": ROW_SCHEMA, "payload": row}


@dataclass(frozen=True, kw_only=True)
class StockReserved(Event):
    """All pieces of an order are reserved. The order may be confirmed."""

    type = "stock.reserved.v1"

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        return {"orderId": self.order_id, "productId": self.product_id, "qty": self.qty}

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        return cls(
            order_id=text(data, "orderId", TEXT_MAX),
            product_id=text(data, "productId", PRODUCT_ID_MAX),
            qty=integer(data, "qty", 1, INT_MAX),
        )


@dataclass(frozen=True, kw_only=True)
class StockRejected(Event):
    """No piece is reserved for an order, and *reason* says why. The order is to be rejected.

    `qty` is sent as 1 if the order's qty was invalid. A reader accepts 0, too.
    """

    type = "stock.rejected.v1"

    reason: str

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        return {
            "orderId": self.order_id,
            "productId": self.product_id,
            "qty": self.qty,
            "reason": self.reason,
        }

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        return cls(
            order_id=text(data, "orderId", TEXT_MAX),
            product_id=text(data, "productId", PRODUCT_ID_MAX),
            qty=integer(data, "qty", 0, INT_MAX),
            reason=text(data, "reason", REASON_MAX),
        )


@dataclass(frozen=True)
class Topics:
    """Which topic carries which events."""

    catalog: str = "example-catalog-topic"
    stock: str = "example-stock-topic"
    sink: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.catalog, self.stock) if self.sink is None else (self.catalog, self.stock, self.sink)

    def of(self, event: Event) -> str:
        if isinstance(event, OrderRow):
            assert self.sink is not None, "a row for a sink was recorded, and no topic is set for it"
            return self.sink
        return self.catalog if isinstance(event, OrderEvent) else self.stock


BY_TYPE: dict[str, type[Event]] = {
    event.type: event for event in (OrderPlaced, OrderCancelled, StockReserved, StockRejected)
}
NAMES_WITHOUT_VERSION = {name.rpartition(".")[0] for name in BY_TYPE}


def read(type_: str | None, value: bytes | None, traceparent: str | None = None) -> Event | None:
    """Read the event from a record's value. None if its type is not ours.

    A record without a type is the course's: an order placed or, with a negative `qty`, cancelled. Raises
    `Unreadable` for a value that is not an event of its type, and for an unknown version of our types.
    """
    if type_ is not None and type_ not in BY_TYPE:
        if type_.rpartition(".")[0] in NAMES_WITHOUT_VERSION:
            raise Unreadable(f"{printable(type_)}: a version that this consumer does not know")
        return None
    data = json_object(value)
    if type_ is None:
        qty = data.get("qty")
        type_ = (OrderCancelled if type(qty) is int and qty < 0 else OrderPlaced).type
    event = BY_TYPE[type_].from_data(data)
    return event if traceparent is None else replace(event, traceparent=traceparent)
