"""The queries of a customer's list of orders, and its filters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select

from orders_service.orders.order import Order, Status

# Without this hint MariaDB may choose the index of another column, and read the orders of all customers.
BY_USER = "FORCE INDEX (ix_orders_user_id_id)"
BY_NUMBER = "FORCE INDEX (PRIMARY)"


@dataclass(frozen=True, kw_only=True)
class OrderFilter:
    """The filters of a list of orders. `created_after` is inclusive, `created_before` exclusive."""

    statuses: Collection[Status] = ()
    product_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def conditions(self) -> Sequence[ColumnElement[bool]]:
        """The filter as SQL. No index serves it: the reader bounds how many rows it looks at."""
        conditions: list[ColumnElement[bool]] = []
        if self.statuses:
            conditions.append(Order.status.in_(sorted(self.statuses)))
        if self.product_id is not None:
            conditions.append(Order.product_id == self.product_id)
        if self.created_after is not None:
            conditions.append(Order.created_at >= self.created_after)
        if self.created_before is not None:
            conditions.append(Order.created_at < self.created_before)
        return conditions


# One order of a customer.
ONE_ORDER = select(Order.__table__).where(
    Order.order_id == bindparam("order_id"), Order.user_id == bindparam("user_id")
)

# The number of a customer's order. A page starts behind it.
START = select(Order.id).where(Order.order_id == bindparam("start"), Order.user_id == bindparam("user_id"))


@cache
def with_status_query(status: Status) -> Select[Any]:
    """A query for the orders of all customers with one status."""
    return select(Order.__table__).where(Order.status == status)


@cache
def every_order_query() -> Select[Any]:
    """A query for all orders. By the primary key, because a condition on it needs no sorting."""
    table = Order.__table__
    return select(table).with_hint(table, BY_NUMBER, "mariadb").where(Order.id > 0)


@cache
def orders_query() -> Select[Any]:
    """A query for the orders of the customer `user_id`. A higher `id` was inserted later."""
    table = Order.__table__
    return select(table).with_hint(table, BY_USER, "mariadb").where(Order.user_id == bindparam("user_id"))
