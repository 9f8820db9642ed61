"""An operator's changes of one order over HTTP: cancel it, or send its event again."""

from typing import Any

from flask import current_app
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from orders_service.api.admin import changes, sessions
from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.changes import Change
from orders_service.database.columns import utc_now
from orders_service.events.outbox import Outbox
from orders_service.operations import actions
from orders_service.orders import search, service
from orders_service.orders.order import Status

NOTHING = Change()  # The body is an empty object.


@admin.post("/orders/<order_id>/cancel")
def cancel_order(order_id: str) -> ResponseReturnValue:
    """Cancel an order of any user. The catalog then releases its stock."""

    def cancel(session: Session) -> dict[str, Any]:
        before = search.get(session, order_id)
        was = before.status
        order = service.cancel(
            session, user_id=before.user_id, order_id=order_id, outbox=_outbox(), clock=utc_now
        )
        done = f"Order {order_id} was cancelled."
        if was == Status.CANCELLED:
            done = f"Order {order_id} was cancelled before. Nothing was done."
        return {"done": done, "command": None, "status": order.status}

    return _change("orders cancel", order_id, cancel)


@admin.post("/orders/<order_id>/resend")
def resend_order(order_id: str) -> ResponseReturnValue:
    """Record `order.placed` again for an order, so that the catalog repeats its answer."""

    def resend(session: Session) -> dict[str, Any]:
        order = search.get(session, order_id)
        service.send_again(session, [order], outbox=_outbox(), now=utc_now())
        done = f"The event of order {order_id} will be sent again."
        return {"done": done, "command": None, "status": order.status}

    return _change("orders resend", order_id, resend)


def _change(name: str, order_id: str, work: Any) -> ResponseReturnValue:
    values = changes.load(NOTHING)
    with sessions.session_of("orders") as session:
        return changes.answer(actions.once(session, changes.action(name, order_id, values), work))


def _outbox() -> Outbox:
    outbox: Outbox = current_app.config["OUTBOX"]
    return outbox
