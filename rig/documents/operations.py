"""The description of each endpoint of the API.

To document a new route, add a row here. Path and method come from the app, query parameters from
`PARAMETERS` in `api/app.py`, the texts of problems from `contract/problems.py`. Then run `make contract`.
"""

from rig.documents import actions, doctor, letters
from rig.documents.journey import JOURNEY
from rig.documents.operation import DATABASE, KNOWN, LIST, Operation
from rig.documents.road import ROAD
from rig.documents.support import SUPPORT

OPERATIONS: dict[str, Operation] = {
    "orders.place": Operation(
        id="placeOrder",
        tag="orders",
        summary="Place an order",
        description="The order is stored before the answer is sent. Its status is PENDING; the catalog"
        " confirms or rejects it a moment later. To wait for that, send `Prefer: wait=10`. To repeat the"
        " request safely, send an `Idempotency-Key`.",
        body="OrderRequest",
        parameters=("Idempotency-Key", "Prefer", "traceparent"),
        status=201,
        answer="The order as it was placed or, if the request waited, with its outcome.",
        schema="PlacedOrder",
        headers=("Location", "ETag", "Idempotent-Replayed", "Preference-Applied"),
        problems=(
            *(
                "bad-request",
                "unknown-parameter",
                "invalid-body",
                "invalid-idempotency-key",
                "request-entity-too-large",
            ),
            *("unsupported-media-type", "invalid-fields", "idempotency-key-reused"),
            *("database-unavailable", "overloaded", "too-many-waiters"),
        ),
    ),
    "orders.place_batch": Operation(
        id="placeOrders",
        tag="orders",
        summary="Place several orders",
        description="All good orders are stored in one transaction, and a bad order stops no other. Each has"
        " an answer of its own, in the order sent. To repeat the request safely, give each order an"
        " `idempotencyKey`. Each order counts as a request.",
        body="Batch",
        parameters=("traceparent",),
        answer="The answers to the orders.",
        schema="BatchAnswers",
        problems=(
            *("bad-request", "unknown-parameter", "invalid-body", "invalid-idempotency-key"),
            *("request-entity-too-large", "unsupported-media-type", "invalid-fields"),
            *("database-unavailable", "overloaded"),
        ),
    ),
    "orders.index": Operation(
        id="listOrders",
        tag="orders",
        summary="List the orders of a user",
        description="In pages, oldest or newest first, filtered. A page can be shorter than `limit`, and even"
        " empty, although the list goes on: follow `Link` until there is none. A user without orders has an"
        " empty list.",
        answer="A page of orders.",
        schema="Orders",
        headers=("Link",),
        problems=LIST,
    ),
    "orders.show": Operation(
        id="showOrder",
        tag="orders",
        summary="Show an order",
        description="To wait until the order is no longer PENDING, send `Prefer: wait=10`.",
        answer="The order as it is now.",
        schema="Order",
        headers=("ETag", "Preference-Applied"),
        parameters=("Prefer", "If-None-Match"),
        problems=("bad-request", "order-not-found", "invalid-fields", "too-many-waiters", *DATABASE),
        empty=KNOWN,
    ),
    "orders.cancel": Operation(
        id="cancelOrder",
        tag="orders",
        summary="Cancel an order",
        description="A PENDING or CONFIRMED order becomes CANCELLED, and its pieces go back into stock. The"
        " request can be repeated safely.",
        answer="The cancelled order.",
        schema="Order",
        headers=("ETag",),
        parameters=("If-Match", "traceparent"),
        problems=(
            *("bad-request", "order-not-found", "order-rejected", "precondition-failed", "invalid-fields"),
            *DATABASE,
        ),
    ),
    "order_events.of_order": Operation(
        id="followOrder",
        tag="orders",
        summary="Follow an order",
        description="Server-sent events: the order, and then each change of it. The id of an event is the"
        " order's id and version. The stream ends when the order is REJECTED or CANCELLED, or after"
        " 5 minutes; a browser connects again by itself.",
        answer="The stream.",
        schema="Events",
        types=("text/event-stream",),
        parameters=("Last-Event-ID",),
        problems=("order-not-found", "invalid-fields", "too-many-waiters", *DATABASE),
        empty={204: "The client has the last event. There will be no other."},
    ),
    "order_events.of_user": Operation(
        id="followOrders",
        tag="orders",
        summary="Follow the orders of a user",
        description="Server-sent events: new orders, and changes of the user's newest orders.",
        answer="The stream.",
        schema="Events",
        types=("text/event-stream",),
        parameters=("Last-Event-ID",),
        problems=("invalid-fields", "too-many-waiters", *DATABASE),
    ),
    "admin.list_orders": Operation(
        id="listOrdersOfAllUsers",
        tag="operators",
        summary="List the orders of all users",
        description="The PENDING orders, oldest first, or those that the parameters ask for; with"
        " `order=newest` the newest of every status. In pages. A page can be shorter than `limit`, and even"
        " empty, although the list goes on: follow `Link` until there is none."
        " Without authentication it answers only to the names of the machine itself.",
        answer="A page of orders with their users.",
        schema="OrdersOfAllUsers",
        headers=("Link",),
        problems=("host-not-allowed", *LIST),
    ),
    **letters.OPERATIONS,
    **actions.OPERATIONS,
    "catalog.index": Operation(
        id="listProducts",
        tag="catalog",
        summary="List the products",
        description="In pages, like the list of orders.",
        answer="A page of products.",
        schema="Products",
        headers=("Link",),
        problems=LIST,
    ),
    "catalog.show": Operation(
        id="showProduct",
        tag="catalog",
        summary="Show a product",
        answer="The product with its stock.",
        schema="Product",
        problems=("product-not-found", *DATABASE),
    ),
    **JOURNEY,
    **ROAD,
    **doctor.OPERATIONS,
    **SUPPORT,
}
