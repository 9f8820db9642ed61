"""(1) The order resource: `/order-service/{userId}/orders`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from orders_service.api import batch, etags, lists, requests, responses
from orders_service.api.body import read_object
from orders_service.api.committer import ATTEMPTS, Committer
from orders_service.api.database import READER, db
from orders_service.api.errors import InvalidKey
from orders_service.api.hang_ups import client_of
from orders_service.api.idempotency_keys import idempotency_key
from orders_service.api.identity.principal import user_of_request
from orders_service.api.own_time import mark_as_waiting
from orders_service.api.preferences import say_applied, wait_seconds
from orders_service.api.scan import Scan
from orders_service.api.watch import Watcher
from orders_service.contract.wire import traceparent_or_none
from orders_service.database.columns import utc_now
from orders_service.database.hosts import catch_up
from orders_service.database.reading import rows_of
from orders_service.database.transactions import in_transaction
from orders_service.events.outbox import Outbox
from orders_service.orders import queries, service
from orders_service.orders.errors import OrderNotFound, VersionMoved
from orders_service.orders.order import FIRST_VERSION, Order, Status
from orders_service.orders.service import Placed, Placement

FIRST_ETAG = etags.etag(FIRST_VERSION)  # A replay has it, too: it shows the order as it was placed.

T = TypeVar("T")
orders = Blueprint("orders", __name__, url_prefix="/order-service")


@orders.before_request
def check_user_id() -> None:
    """Refuse a user id that no order can have, on every route."""
    if values := request.view_args:
        requests.require_user_id(values["user_id"])


@orders.post("/<user_id>/orders")
def place(user_id: str) -> ResponseReturnValue:
    """Place an order. The answer says PENDING; the catalog confirms or rejects the order later."""
    committer = _committer()
    committer.require_room()
    if (prefer := request.environ.get("HTTP_PREFER")) and (seconds := wait_seconds(prefer)):
        return _place_and_wait(user_id, seconds)
    placed = committer.place(_placement(user_id))
    return _created(placed)


@orders.post("/<user_id>/orders/batch")
def place_batch(user_id: str) -> ResponseReturnValue:
    """Place up to 100 orders in one transaction. Each has an answer of its own, in the order sent."""
    committer = _committer()
    committer.require_room()
    if "Idempotency-Key" in request.headers:
        raise InvalidKey("Send no header Idempotency-Key with a batch: each order has its `idempotencyKey`.")
    sent = _counted_batch() if "rate_limit" in g else requests.load_batch(read_object(request))
    return batch.place(sent, partial(_placement_of_batch, user_id), committer, _path_of(user_id))


@orders.get("/<user_id>/orders")
def index(user_id: str) -> ResponseReturnValue:
    """The user's orders, filtered, oldest or newest first: a page of `limit` after the order `after`."""
    conditions, values = lists.load_order_filter().conditions, {"user_id": user_id}
    return lists.page_of(
        Scan(db.engines[READER], queries.orders_query(), conditions, values, start=queries.START),
        responses.order,
        path=_path_of(user_id),
        key="order_id",
        find=lambda order_id: find(user_id, order_id),
    )


@orders.get("/<user_id>/orders/<order_id>")
def show(user_id: str, order_id: str) -> ResponseReturnValue:
    """One order as it is now or, with `Prefer: wait`, when it is no longer PENDING."""
    order = find(user_id, order_id)
    if (prefer := request.environ.get("HTTP_PREFER")) and (seconds := wait_seconds(prefer)):
        return say_applied(_shown(_settled(order, seconds)), seconds)
    return _shown(order)


@orders.post("/<user_id>/orders/<order_id>/cancel")
def cancel(user_id: str, order_id: str) -> ResponseReturnValue:
    """Cancel an order, if it has the version in If-Match. The catalog then releases its stock."""
    work = partial(
        service.cancel,
        user_id=user_id,
        order_id=order_id,
        outbox=_outbox(),
        clock=utc_now,
        traceparent=_traceparent(),
        versions=etags.required_versions(),
    )
    order = _up_to_date(lambda: in_transaction(db.session(), work, attempts=ATTEMPTS))
    return _with_etag(jsonify(responses.order(order)), order)


def find(user_id: str, order_id: str) -> Row[Any]:
    """The user's order; raises `OrderNotFound`."""
    return _up_to_date(lambda: _read(user_id, order_id))


def _read(user_id: str, order_id: str) -> Row[Any]:
    found = rows_of(db.engines[READER], queries.ONE_ORDER, {"user_id": user_id, "order_id": order_id})
    if not found:
        raise OrderNotFound(order_id)
    return found[0]


def _up_to_date(work: Callable[[], T]) -> T:
    """Do *work* with an order, once more if its refusal may come from a Galera node that lags behind."""
    try:
        return work()
    except (OrderNotFound, VersionMoved):
        if not catch_up(db.session()):
            raise
        return work()


def _shown(order: Row[Any]) -> Response:
    """The order; 304 if the client knows this version."""
    if etags.is_known_to_client(order.version):
        return _with_etag(current_app.response_class(status=304), order)
    return _with_etag(jsonify(responses.order(order)), order)


def _with_etag(response: Response, order: Order | Row[Any]) -> Response:
    response.headers.add("ETag", etags.etag(order.version))
    return response


def _place_and_wait(user_id: str, seconds: int) -> Response:
    """Place an order and wait for its outcome. Without a free seat to wait, no order is placed."""
    with _watcher().seats.one(user_of_request()):
        mark_as_waiting(request.environ)
        placed = _committer().place(_placement(user_id))
        outcome = _watcher().await_order(
            placed.order.order_id, FIRST_VERSION, seconds, client=client_of(request.environ)
        )
    return say_applied(_created(placed, outcome), seconds)


def _settled(order: Row[Any], seconds: int) -> Row[Any]:
    """The order when it is no longer PENDING or, after *seconds*, as it was."""
    if order.status != Status.PENDING:
        return order
    with _watcher().seats.one(user_of_request()):
        mark_as_waiting(request.environ)
        client = client_of(request.environ)
        return _watcher().await_order(order.order_id, order.version, seconds, client=client) or order


def _created(placed: Placed, outcome: Row[Any] | None = None) -> Response:
    path, order_id = _path_of(placed.order.user_id), placed.order.order_id
    response = jsonify(responses.placed(placed.order, outcome))
    response.status_code = 201
    response.headers["Location"] = f"{path}/{order_id}"
    response.headers.add("ETag", FIRST_ETAG if outcome is None else etags.etag(outcome.version))
    if placed.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _path_of(user_id: str) -> str:
    return f"{orders.url_prefix}/{quote(user_id)}/orders"


def _placement(user_id: str) -> Placement:
    placement = _new_placement(user_id, requests.load_order(read_object(request)), idempotency_key())
    g.order_id = placement.order_id
    return placement


def _counted_batch() -> list[Any]:
    """The orders of the batch. Each counts in the rate limit; more than its quota could never be sent."""
    most = min(requests.BATCH_MAX, g.rate_limit.quota.requests)
    sent = requests.load_batch(read_object(request), most=most)
    g.rate_limit.take(g.client, len(sent) - 1)  # The request itself is counted already.
    return sent


def _placement_of_batch(user_id: str, fields: dict[str, Any]) -> Placement:
    return _new_placement(user_id, fields, fields.pop("idempotency_key", None))


def _new_placement(user_id: str, fields: dict[str, Any], key: str | None) -> Placement:
    return Placement(
        order_id=service.new_order_id(user_id, key),
        user_id=user_id,
        **fields,
        keyed=key is not None,
        traceparent=_traceparent(),
    )


def _traceparent() -> str | None:
    return traceparent_or_none(request.headers.get("traceparent"))


def _committer() -> Committer:
    committer: Committer = current_app.extensions["committer"]
    return committer


def _watcher() -> Watcher:
    watcher: Watcher = current_app.extensions["watcher"]
    return watcher


def _outbox() -> Outbox:
    outbox: Outbox = current_app.config["OUTBOX"]
    return outbox
