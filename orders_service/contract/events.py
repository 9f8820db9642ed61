"""The events: their types, keys and values. `docs/events.md` explains them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from uuid_utils import UUID, uuid5

from orders_service.contract import facts
from orders_service.contract.errors import Invalid
from orders_service.contract.fields import Data, integer, text
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, REASON_MAX, TEXT_MAX

EVENT_ID_NAMESPACE = UUID("6f2c9a54-3d0e-5b8a-9c41-7be0f5d1a2c3")


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact about one order, with the trace that caused it."""

    type: ClassVar[str]
    channel: ClassVar[str]  # The field of `Topics` that names the topic.

    order_id: str
    product_id: str
    qty: int
    traceparent: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The event id: derived from type and order id, so that a fact recorded again is the same event."""
        return str(uuid5(EVENT_ID_NAMESPACE, f"{self.type}:{self.order_id}"))

    @property
    def key(self) -> str:
        """The record's key, which decides the partition."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The record's value, as it is sent in JSON."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class OrderEvent(Event, facts.OrderFacts):
    """The base of the events that the orders service sends to the catalog.

    The key is the product: the sequence of the events in the log decides who gets the last
    piece.
    """

    channel = "catalog"
    sign: ClassVar[int]  # The sign of `qty` on the wire: -1 for a cancellation.

    @property
    def key(self) -> str:
        return self.product_id

    def data(self) -> dict[str, Any]:
        return facts.as_json_dict(self) | {"qty": self.sign * self.qty}


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """An order was placed. The catalog reserves stock for it, or rejects it."""

    type = "order.placed.v1"
    sign = 1

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        """The order, or an `InvalidOrder` if its qty is wrong or missing, or its prices are wrong."""
        ids = _ids(data)
        try:
            qty = integer(data, "qty", 1, INT_MAX)
        except Invalid as error:
            return InvalidOrder(**ids, qty=0, problem=str(error))
        others = facts.read_optional(data)
        if problem := _price_problem(data, qty):
            return InvalidOrder(**ids, qty=qty, **others, problem=problem)
        return cls(**ids, qty=qty, **others)


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
        return cls(**_ids(data), qty=-integer(data, "qty", -INT_MAX, -1), **facts.read_optional(data))


@dataclass(frozen=True, kw_only=True)
class StockReserved(Event):
    """All pieces of an order are reserved. The order may be confirmed."""

    type = "stock.reserved.v1"
    channel = "stock"

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        return {"orderId": self.order_id, "productId": self.product_id, "qty": self.qty}

    @classmethod
    def from_data(cls, data: Data) -> "Event":
        return cls(**_ids(data), qty=integer(data, "qty", 1, INT_MAX))


class Reason(StrEnum):
    """Why no piece was reserved."""

    UNKNOWN_PRODUCT = "unknown-product"
    INSUFFICIENT_STOCK = "insufficient-stock"
    PRICE_DIFFERS = "price-differs"
    DISCARDED = "discarded"
    INVALID_ORDER = "invalid-order"


@dataclass(frozen=True, kw_only=True)
class StockRejected(Event):
    """No piece is reserved for an order, and `reason` says why. The order is to be rejected.

    `qty` is sent as 1 if the order's qty was invalid. A reader accepts 0, too.
    """

    type = "stock.rejected.v1"
    channel = "stock"

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
            **_ids(data), qty=integer(data, "qty", 0, INT_MAX), reason=text(data, "reason", REASON_MAX)
        )


def _price_problem(data: Data, qty: int) -> str:
    """The problem with the prices of a placed order; empty if there is none, or no unit price."""
    price, total = data.get("unitPrice"), data.get("totalPrice")
    if price is None:
        return ""
    try:
        integer(data, "unitPrice", 0, INT_MAX)
    except Invalid as error:
        return str(error)
    return "totalPrice: must be qty times unitPrice" if type(total) is int and total != qty * price else ""


def _ids(data: Data) -> dict[str, Any]:
    return {
        "order_id": text(data, "orderId", TEXT_MAX),
        "product_id": text(data, "productId", PRODUCT_ID_MAX),
    }
