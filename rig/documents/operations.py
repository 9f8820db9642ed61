"""What each endpoint of the API does.

To document a new route, add a row here. Path and method come from the app, query parameters from
`PARAMETERS` in `api/app.py`, the texts of problems from `contract/problems.py`. Then run `make contract`.
"""

from dataclasses import dataclass

# Every operation may answer these problems. They are the `default` response of each operation.
ALWAYS = (
    *("bad-request", "not-found", "method-not-allowed", "request-timeout", "request-entity-too-large"),
    *("request-uri-too-long", "expectation-failed", "request-header-fields-too-large", "quota-exceeded"),
    *("internal-server-error", "overloaded", "unauthorized", "insufficient-scope", "not-your-orders"),
    "keys-unavailable",
)
TAGS = {
    "orders": "Place, read and cancel orders.",
    "operators": "For the people who run the service.",
    "catalog": "Products with their stock.",
    "health": "For probes and monitoring.",
    "documents": "This documentation. Nobody needs a token for it.",
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One endpoint. *schema* is the JSON of its answer, and *body* that of its request (`components.py`).

    *problems* are those beside `ALWAYS`.
    """

    id: str
    tag: str
    summary: str
    description: str = ""
    answer: str
    status: int = 200
    schema: str | None = None
    types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()  # Of the answer.
    body: str | None = None
    parameters: tuple[str, ...] = ()  # Headers of the request.
    problems: tuple[str, ...] = ()
    unchanged: bool = False  # The answer can be 304.


DATABASE = ("database-unavailable",)
OPERATIONS: dict[str, Operation] = {
    "orders.place": Operation(
        id="placeOrder",
        tag="orders",
        summary="Place an order",
        description="The order is stored before the answer is sent. Its status is PENDING; the catalog"
        " confirms or rejects it a moment later. To repeat the request safely, send an `Idempotency-Key`. To"
        " wait for the outcome, send `Prefer: wait=10`.",
        body="OrderRequest",
        parameters=("Idempotency-Key", "Prefer", "traceparent"),
        status=201,
        answer="The order as it was placed.",
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
        description="In pages: follow the header `Link` until an answer has none. With a filter, a page can"
        " be short or empty although more pages follow, because one request looks at 10,000 orders at most.",
        answer="A page of orders.",
        schema="Orders",
        headers=("Link",),
        problems=("bad-request", "unknown-parameter", "unknown-after", "invalid-fields", *DATABASE),
    ),
    "orders.show": Operation(
        id="showOrder",
        tag="orders",
        summary="Show an order",
        description="With `Prefer: wait=10` the answer comes when the order is no longer PENDING. If too many"
        " requests wait, it is 503 with the problem `too-many-waiters`.",
        answer="The order as it is now.",
        schema="Order",
        headers=("ETag", "Preference-Applied"),
        parameters=("If-None-Match", "Prefer"),
        unchanged=True,
        problems=("bad-request", "unknown-parameter", "order-not-found", "invalid-fields", *DATABASE),
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
            *("bad-request", "unknown-parameter", "order-not-found", "order-rejected", "precondition-failed"),
            *("invalid-fields", *DATABASE),
        ),
    ),
    "admin.index": Operation(
        id="listOrdersOfAllUsers",
        tag="operators",
        summary="List the orders of all users",
        description="The orders with one status, PENDING by default, oldest first, in pages. A page can be"
        " shorter than `limit`, and even empty, although the list goes on: follow `Link` until there is none."
        " Without authentication it answers only to the names of the machine itself.",
        answer="A page of orders with their users.",
        schema="OrdersOfAllUsers",
        headers=("Link",),
        problems=("unknown-parameter", "unknown-after", "host-not-allowed", "invalid-fields", *DATABASE),
    ),
    "order_events.of_order": Operation(
        id="followOrder",
        tag="orders",
        summary="Follow an order",
        description="Server-sent events: the order, and the order again after each change. The stream ends"
        " when the order is REJECTED or CANCELLED, or after 5 minutes. If the client has got the last event,"
        " the answer is 204.",
        parameters=("Last-Event-ID",),
        answer="The events `order`. Each has the order as JSON, and the id `orderId:version`.",
        types=("text/event-stream",),
        problems=("order-not-found", "invalid-fields", "too-many-waiters", *DATABASE),
    ),
    "order_events.of_user": Operation(
        id="followOrders",
        tag="orders",
        summary="Follow the orders of a user",
        description="Server-sent events: new orders, and changes of the newest orders, from now on.",
        parameters=("Last-Event-ID",),
        answer="The events `order`. Each has an order as JSON, and the id `orderId:version`.",
        types=("text/event-stream",),
        problems=("invalid-fields", "too-many-waiters", *DATABASE),
    ),
    "catalog.index": Operation(
        id="listProducts",
        tag="catalog",
        summary="List the products",
        description="In pages, like the list of orders.",
        answer="A page of products.",
        schema="Products",
        headers=("Link",),
        problems=("bad-request", "unknown-parameter", "unknown-after", "invalid-fields", *DATABASE),
    ),
    "catalog.show": Operation(
        id="showProduct",
        tag="catalog",
        summary="Show a product",
        answer="The product with its stock.",
        schema="Product",
        problems=("product-not-found", *DATABASE),
    ),
    "health.live": Operation(
        id="isAlive",
        tag="health",
        summary="Does the process answer?",
        answer="It does.",
        schema="Alive",
    ),
    "health.ready": Operation(
        id="isReady",
        tag="health",
        summary="Can the service accept orders?",
        description="Orders need only the orders database. If the catalog database or the broker is down,"
        " events wait, and the status is `degraded`.",
        answer="It can.",
        schema="Ready",
        problems=("not-ready",),
    ),
    "health.order_service": Operation(
        id="orderServiceWorks",
        tag="health",
        summary="The course's health check of the order service",
        answer="A text.",
        types=("text/plain",),
    ),
    "health.catalog_service": Operation(
        id="catalogServiceWorks",
        tag="health",
        summary="The course's health check of the catalog service",
        answer="A text.",
        types=("text/plain",),
    ),
    "metrics.show": Operation(
        id="showMetrics",
        tag="health",
        summary="Metrics for Prometheus",
        description="The numbers of pending events and of dead letters, and their age. They are counted at"
        " most once a second.",
        answer="The metrics as text.",
        types=("text/plain",),
        problems=("metrics-late",),
    ),
    "documents.home": Operation(
        id="showHome",
        tag="documents",
        summary="The addresses of this API",
        answer="Links, as a page for a browser and as JSON for all others.",
        schema="Links",
        types=("application/json", "text/html"),
    ),
    "documents.openapi": Operation(
        id="showOpenApi",
        tag="documents",
        summary="This document",
        answer="OpenAPI 3.1.",
        schema="Any",
        headers=("ETag",),
    ),
    "documents.asyncapi": Operation(
        id="showAsyncApi",
        tag="documents",
        summary="The events",
        answer="AsyncAPI 3.0, with the topics and partitions of this deployment.",
        schema="Any",
        headers=("ETag",),
    ),
    "documents.schema": Operation(
        id="showEventSchema",
        tag="documents",
        summary="The JSON Schema of an event",
        answer="JSON Schema, draft 2020-12.",
        schema="Any",
        types=("application/schema+json",),
        headers=("ETag",),
        problems=("not-found",),
    ),
    "documents.docs": Operation(
        id="showDocs",
        tag="documents",
        summary="This document as a page on which requests can be tried",
        answer="A page.",
        types=("text/html",),
    ),
    "documents.events": Operation(
        id="showEvents",
        tag="documents",
        summary="The events as a page",
        answer="A page.",
        types=("text/html",),
    ),
    "documents.problems": Operation(
        id="listProblems",
        tag="documents",
        summary="List the problem types",
        answer="The problem types, as a page for a browser and as JSON for all others.",
        schema="ProblemTypes",
        types=("application/json", "text/html"),
    ),
    "documents.problem": Operation(
        id="showProblem",
        tag="documents",
        summary="Explain a problem type",
        description="The `type` of a problem is this address.",
        answer="The meaning, the remedy and an example, as a page for a browser and as JSON for all others.",
        schema="ProblemType",
        types=("application/json", "text/html"),
        problems=("not-found",),
    ),
}
# Routes without documentation: files of the pages.
UNDOCUMENTED = {"documents.asset"}
