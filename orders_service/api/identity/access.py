"""The scope that each endpoint needs, if any. An endpoint that is not in the table cannot be served."""

from flask import Flask, request

from orders_service.api.identity import principal
from orders_service.api.identity.errors import InsufficientScope, NotYourOrders
from orders_service.contract.scopes import OPERATE, READ, WRITE
from orders_service.settings import Settings

OPEN = None  # Anybody may call it. With AUTH_MODE=none that is so for every endpoint.

ACCESS: dict[str, str | None] = {
    "orders.place": WRITE,
    "orders.place_batch": WRITE,
    "orders.index": READ,
    "orders.show": READ,
    "orders.cancel": WRITE,
    "order_events.of_order": READ,
    "order_events.of_user": READ,
    "catalog.index": READ,
    "catalog.show": READ,
    "admin.list_orders": OPERATE,
    "admin.show_doctor": OPERATE,
    "admin.run_doctor": OPERATE,
    "practice.show": OPERATE,
    "practice.press": OPERATE,
    "admin.show_road": OPERATE,
    "admin.follow_road": OPERATE,
    "admin.show_kafka": OPERATE,
    "admin.list_records": OPERATE,
    "admin.show_journey": OPERATE,
    "admin.group_dead_letters": OPERATE,
    "admin.list_dead_letters": OPERATE,
    "admin.show_dead_letter": OPERATE,
    "admin.replay_dead_letters": OPERATE,
    "admin.discard_dead_letters": OPERATE,
    "admin.hold_dead_letters": OPERATE,
    "admin.release_dead_letters": OPERATE,
    "admin.show_stock": OPERATE,
    "admin.supply_stock": OPERATE,
    "admin.correct_stock": OPERATE,
    "admin.show_outbox": OPERATE,
    "admin.requeue_outbox": OPERATE,
    "admin.cancel_order": OPERATE,
    "admin.resend_order": OPERATE,
    "admin.list_actions": OPERATE,
    "metrics.show": OPERATE,
    "health.live": OPEN,
    "health.ready": OPEN,
    "health.order_service": OPEN,
    "health.catalog_service": OPEN,
    "health.product_service": OPEN,
    "health.actuator": OPEN,
    "documents.home": OPEN,
    "documents.docs": OPEN,
    "documents.asset": OPEN,
    "documents.openapi": OPEN,
    "documents.asyncapi": OPEN,
    "documents.schema": OPEN,
    "documents.events": OPEN,
    "documents.problems": OPEN,
    "documents.problem": OPEN,
    "ui.show": OPEN,  # Without data, which come from `/admin`.
    "ui.asset": OPEN,
    "ui.without_slash": OPEN,
}


def init_app(app: Flask, settings: Settings) -> None:
    """Check what the client of each request may do. With AUTH_MODE=none nothing is added."""
    if settings.auth_mode == "jwt":
        app.before_request(authorize)


def require_complete(app: Flask) -> None:
    """Raise `RuntimeError` if a route of *app* is missing in the table."""
    missing = {rule.endpoint for rule in app.url_map.iter_rules()} - ACCESS.keys()
    if missing:
        raise RuntimeError(
            f"api/identity/access.py does not say who may call {', '.join(sorted(missing))}."
            " Add the scope that it needs, or OPEN."
        )


def authorize() -> None:
    """Refuse a client without the endpoint's scope, or with another user's path."""
    client = principal.of_request()
    if client is None:
        return  # The address is open, or does not exist.
    asked = request._get_current_object()  # type: ignore[attr-defined]
    scope = ACCESS[asked.url_rule.endpoint]
    if scope is not None and scope not in client.scopes:
        raise InsufficientScope(scope, client.scopes)
    user_id = asked.view_args.get("user_id")
    if user_id is not None and not client.may_use(user_id):
        raise NotYourOrders(
            f"The token is {client.name}'s; it does not give access to another user's orders."
        )
