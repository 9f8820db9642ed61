"""The operator's list of orders, of all users: `/admin/orders`."""

import re

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from orders_service.api import lists, responses
from orders_service.api.database import db, read_only_session
from orders_service.api.identity.errors import HostNotAllowed
from orders_service.api.scan import Scan
from orders_service.orders import queries, search
from orders_service.orders.order import Order

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
PORT = re.compile(":[0-9]+$")

admin = Blueprint("admin", __name__, url_prefix="/admin")


@admin.before_request
def require_this_machine() -> None:
    """Without authentication, refuse another host name than this machine's; raises `HostNotAllowed`.

    A page of another site can make a browser send requests to a name that it points to this machine (DNS
    rebinding). With a token that is harmless: the page does not have it.
    """
    is_open = current_app.config["SETTINGS"].auth_mode == "none"
    if is_open and PORT.sub("", request.host.lower()) not in LOOPBACK_NAMES:
        raise HostNotAllowed


@admin.get("/orders")
def index() -> ResponseReturnValue:
    """The orders of all users with one status, oldest first: a page of `limit` after the order `after`."""
    status, conditions = lists.load_operator_filter()
    return lists.page_of(
        Scan(db.engine, queries.with_status_query(status), conditions),
        responses.order_of_any_user,
        path=f"{admin.url_prefix}/orders",
        key="order_id",
        find=lambda order_id: search.get(read_only_session(Order), order_id),
    )
