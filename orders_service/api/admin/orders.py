"""The operator's list of orders, of all users: `/admin/orders`."""

from flask.typing import ResponseReturnValue

from orders_service.api import lists, responses
from orders_service.api.admin.blueprint import admin
from orders_service.api.database import READER, db, read_only_session
from orders_service.api.scan import Scan
from orders_service.orders import search
from orders_service.orders.order import Order


@admin.get("/orders")
def list_orders() -> ResponseReturnValue:
    """The orders of all users, filtered: a page of `limit` after the order `after`."""
    query, conditions, values = lists.load_operator_filter()
    return lists.page_of(
        Scan(db.engines[READER], query, conditions, values),
        responses.order_of_any_user,
        path=f"{admin.url_prefix}/orders",
        key="order_id",
        find=lambda order_id: search.get(read_only_session(Order), order_id),
    )
