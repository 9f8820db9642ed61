"""A batch of orders: each is checked and answered by itself, and all are placed in one transaction."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import orjson
from flask import Response, current_app, g

from orders_service.api import requests, responses
from orders_service.api.committer import Committer
from orders_service.api.errors import InvalidFields
from orders_service.api.rate_limit import Quota
from orders_service.orders.errors import KeyReused
from orders_service.orders.service import Placed, Placement

FEW = 10  # Orders. More are checked, and answered, in a turn: 100 take a few milliseconds of the event loop.

Outcome = Placed | KeyReused | InvalidFields
NewPlacement = Callable[[dict[str, Any]], Placement]


def place(sent: Sequence[Any], new_placement: NewPlacement, committer: Committer, path: str) -> Response:
    """Place the orders *sent*, and answer each. A bad order stops no other. *path* is that of the orders."""
    with _turn(len(sent)):
        checked = [_check(order, number, new_placement) for number, order in enumerate(sent)]
    good = [order for order in checked if isinstance(order, Placement)]
    g.order_ids = [order.order_id for order in good]
    placed = iter(committer.place_all(good) if good else ())
    outcomes = [next(placed) if isinstance(order, Placement) else order for order in checked]
    with _turn(len(sent)):
        body = b"[" + b",".join([_answer(outcome, path) for outcome in outcomes]) + b"]\n"
    return current_app.response_class(body, mimetype="application/json")


def require_fitting(orders: int, quota: Quota) -> None:
    """Refuse a batch of more orders than RATE_LIMIT ever allows at once: to try it again would not help."""
    if orders > quota.requests:
        raise InvalidFields({"orders": f"must be at most {quota.requests} orders, the whole rate limit"})


def _check(order: Any, number: int, new_placement: NewPlacement) -> Placement | InvalidFields:
    try:
        if not isinstance(order, dict):
            raise InvalidFields({str(number): "must be a JSON object"}, pointer="/orders")
        return new_placement(requests.load_order(order, requests.ORDER_OF_BATCH, pointer=f"/orders/{number}"))
    except InvalidFields as error:
        return error


def _answer(outcome: Outcome, path: str) -> bytes:
    if isinstance(outcome, Placed):
        order = outcome.order
        element = {"status": 201, "location": f"{path}/{order.order_id}", "order": responses.placed(order)}
        return orjson.dumps(element | {"replayed": True} if outcome.replayed else element)
    response = current_app.make_response(current_app.handle_user_exception(outcome))
    # The problem stays as it is: it may quote an unpaired surrogate, which orjson refuses.
    return b'{"status":%d,"problem":%s}' % (response.status_code, response.get_data().strip())


def _turn(count: int) -> AbstractContextManager[object]:
    turn: AbstractContextManager[object] = current_app.config["TURN"](first=False)
    return turn if count > FEW else nullcontext()
