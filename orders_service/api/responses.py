"""The JSON of responses. It is the JSON of the course's services, with a status added."""

from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Row

from orders_service.catalog.product import Product
from orders_service.contract import facts
from orders_service.orders.order import Order, Status
from orders_service.orders.service import Placement

# In the course's JSON, `orderId` comes after `createdAt`. The path has the user.
FIRST = [name for name in facts.FACTS if name not in ("order_id", "user_id")]
FIRST_NAMES = tuple(map(facts.camel_case, FIRST))
SHOWN = (*FIRST, "created_at", "order_id", "status", "reason")
values_of = attrgetter(*SHOWN)
# A row's attributes cost ten times as much as its items. Every query reads all columns, in their order.
values_of_row = itemgetter(*map(Order.__table__.columns.keys().index, SHOWN))


def placed(order: Placement, outcome: Row[Any] | None = None) -> dict[str, Any]:
    """The order as it was placed: PENDING, even if its status has changed since; or with its *outcome*."""
    shown = facts.as_json_dict(order) | {"status": Status.PENDING}
    del shown["userId"]  # The path has it.
    if outcome is not None:
        shown |= {"status": outcome.status} | ({"reason": outcome.reason} if outcome.reason else {})
    return shown


def order(order: Order | Row[Any]) -> dict[str, Any]:
    """The order as it is now."""
    values = values_of_row(order) if isinstance(order, Row) else values_of(order)
    *first, created_at, order_id, status, reason = values
    shown: dict[str, Any] = dict(zip(FIRST_NAMES, first, strict=True))
    shown["createdAt"] = format_instant(created_at)
    shown["orderId"] = order_id
    shown["status"] = status
    if reason is not None:
        shown["reason"] = reason
    return shown


def order_of_any_user(row: Row[Any]) -> dict[str, Any]:
    """The order as it is now, with its user: for operators, whose path has no user."""
    return {"userId": row.user_id} | order(row) | {"answerMs": _answer_ms(row)}


def _answer_ms(row: Row[Any]) -> float | None:
    """The milliseconds from placing the order to its answer, while the row still has the time of that."""
    if row.status not in (Status.CONFIRMED, Status.REJECTED):
        return None
    took: timedelta = row.updated_at - row.created_at
    return round(max(0.0, took.total_seconds() * 1000), 1)


def product(product: Product | Row[Any]) -> dict[str, Any]:
    """The product with its stock."""
    return {
        "productId": product.product_id,
        "productName": product.product_name,
        "unitPrice": product.unit_price,
        "stock": product.stock,
        "createdAt": format_instant(product.created_at),
    }


def format_instant(value: datetime) -> str:
    """A timestamp in Spring's format: `2026-11-24T07:06:15.292+00:00`."""
    return value.isoformat(timespec="milliseconds")
