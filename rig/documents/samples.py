"""Requests in sequence, from which the examples of all documents are recorded.

To show a new feature, add a sample. `make contract` then sends it to a running service with curl, and writes
the answer into `docs/http.md` and the OpenAPI document.
"""

import json
from dataclasses import dataclass

from rig.documents.parameters import ORDER_ID

FOLDER = "/order-service/ann/orders"
SHOWN = (
    *("content-type", "location", "etag", "idempotent-replayed", "preference-applied", "link", "allow"),
    "retry-after",
)
BATCHES = "/order-service/bob/orders"  # The list of ann's orders stays short.


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One request to *endpoint*. *awaited* is a text of the answer: the request is repeated until it comes.

    A sample without a *title* is an example of a problem, and not on the page. *headers* and *body* are sent
    as they are; `{a}` and `{b}` in the *target* are the ids of the first two orders.
    """

    endpoint: str
    title: str = ""
    text: str = ""
    method: str = "GET"
    target: str
    headers: tuple[str, ...] = ()
    body: str = ""
    awaited: str = ""


def order(product: str, qty: int, price: int) -> str:
    """The JSON of an order."""
    return json.dumps({"productId": product, "qty": qty, "unitPrice": price}, separators=(",", ":"))


def batched(key: str, qty: int) -> str:
    """The JSON of an order in a batch."""
    return order("CATALOG-003", qty, 2000)[:-1] + f',"idempotencyKey":"{key}"}}'


def _problem(endpoint: str, target: str, method: str = "GET", *, body: str = "", headers: str = "") -> Sample:
    lines = tuple(line for line in headers.split("\n") if line)
    return Sample(endpoint=endpoint, method=method, target=target, headers=lines, body=body)


JSON = "Content-Type: application/json"
SAMPLES = (
    Sample(
        endpoint="orders.place",
        title="Place an order",
        text="The answer comes when the order is stored. Its status is PENDING, because the catalog has not"
        " answered yet. With the header `Idempotency-Key` the request can be repeated safely: choose a new"
        " key for each order.",
        method="POST",
        target=FOLDER,
        headers=("Idempotency-Key: basket-17", JSON),
        body=order("CATALOG-001", 2, 1500),
    ),
    Sample(
        endpoint="orders.place",
        title="Repeat a request",
        text="A client that got no answer sends the same request again. The answer is the order as it was"
        " placed, whatever has happened to it since, and no second order is placed. Keys never expire.",
        method="POST",
        target=FOLDER,
        headers=("Idempotency-Key: basket-17", JSON),
        body=order("CATALOG-001", 2, 1500),
    ),
    Sample(
        endpoint="orders.place_batch",
        title="Place several orders",
        text="Up to 100 orders in one request. Each has an answer of its own: a bad order stops no other.",
        method="POST",
        target=f"{BATCHES}/batch",
        headers=(JSON,),
        body=f'{{"orders":[{batched("basket-20", 1)},{batched("basket-20", 1)},{batched("basket-21", 0)}]}}',
    ),
    Sample(
        endpoint="orders.show",
        title="Show an order",
        text="A moment later the catalog has answered. The order is CONFIRMED, or REJECTED with a `reason`.",
        target=f"{FOLDER}/{{a}}",
        awaited='"CONFIRMED"',
    ),
    Sample(
        endpoint="orders.place",
        title="An order that is rejected",
        text="The catalog has 100 pieces of this product.",
        method="POST",
        target=FOLDER,
        headers=("Idempotency-Key: basket-18", JSON),
        body=order("CATALOG-001", 101, 1500),
    ),
    Sample(
        endpoint="orders.show",
        title="The reason of a rejection",
        target=f"{FOLDER}/{{b}}",
        awaited='"REJECTED"',
    ),
    Sample(
        endpoint="orders.index",
        title="List orders",
        text="Oldest first. The header `Link` has the address of the next page; on the last page it is"
        " missing. Without `limit` a page has at most 1000 orders.",
        target=f"{FOLDER}?limit=1",
    ),
    Sample(
        endpoint="orders.index",
        title="The next page",
        target=f"{FOLDER}?limit=1&after={{a}}",
    ),
    Sample(
        endpoint="orders.index",
        title="Find orders",
        text="Filters: `status` (one or more, separated by commas), `productId`, `createdAfter` and"
        " `createdBefore`. `order=desc` begins with the newest.",
        target=f"{FOLDER}?status=PENDING,REJECTED&order=desc",
    ),
    Sample(
        endpoint="orders.show",
        title="Has an order changed?",
        text="The header `ETag` is the version of the order. If the client sends it back and it is still"
        " right, the answer is 304, without a body.",
        target=f"{FOLDER}/{{a}}",
        headers=('If-None-Match: "2"',),
    ),
    Sample(
        endpoint="orders.cancel",
        title="Cancel an order",
        text="Its pieces go back into stock. The request can be repeated safely. A rejected order cannot be"
        " cancelled (409). With `If-Match` the order is only cancelled if it has not changed since the client"
        " read it; otherwise the answer is 412.",
        method="POST",
        target=f"{FOLDER}/{{a}}/cancel",
        headers=('If-Match: "2"',),
    ),
    Sample(
        endpoint="order_events.of_order",
        title="Follow an order",
        text="Server-sent events: the order, and then each change of it. The stream ends with the last change"
        " that is possible. Browsers read it with `EventSource`. `/order-service/ann/orders/events` follows"
        " all new orders of a user.",
        target=f"{FOLDER}/{{b}}/events",
    ),
    Sample(
        endpoint="catalog.index",
        title="List products",
        text="In pages, like the list of orders. `/product-service/products` has the same products.",
        target="/catalog-service/catalogs?limit=2",
        awaited='"stock":100',
    ),
    Sample(
        endpoint="catalog.show",
        title="Show a product",
        target="/catalog-service/catalogs/CATALOG-001",
    ),
    Sample(
        endpoint="orders.place",
        title="Wait for the outcome",
        text="With `Prefer: wait=10` the answer comes when the catalog has answered, or after 10 s.",
        method="POST",
        target=FOLDER,
        headers=("Idempotency-Key: basket-19", "Prefer: wait=10", JSON),
        body=order("CATALOG-002", 1, 1000),
    ),
    Sample(
        endpoint="admin.list_orders",
        title="List the orders of all users",
        text="For operators: the PENDING orders, unless the request names another status; with"
        " `order=newest` the newest orders of every status. `answerMs` is the time from placing the order"
        " to its answer. Without tokens it answers only on the machine itself.",
        target="/admin/orders?status=REJECTED",
    ),
    Sample(
        endpoint="admin.show_doctor",
        title="Show the findings of the doctor",
        text="For operators: the findings of the last `POST /admin/doctor/runs`. Here the doctor has not run"
        " yet.",
        target="/admin/doctor",
    ),
    Sample(
        endpoint="admin.supply_stock",
        title="Add a delivery to the stock",
        text="Once for each note. `done` says what was done, and `command` is the command that does the same."
        " Each action of an operator is recorded: `/admin/actions` lists them.",
        method="POST",
        target="/admin/stock/CATALOG-003/supplies",
        headers=("Idempotency-Key: delivery-7", JSON),
        body='{"qty":20,"note":"delivery 7"}',
    ),
    Sample(
        endpoint="admin.list_actions",
        title="List what operators did",
        target="/admin/actions",
    ),
    Sample(
        endpoint="admin.hold_dead_letters",
        title="Put dead letters on hold",
        text="Without a dead letter there is nothing to do. `replay`, `discard` and `release` take the same"
        " body: `recordId`, or `all`, or any of `reason`, `error` and `group`.",
        method="POST",
        target="/admin/dead-letters/hold",
        headers=(JSON,),
        body='{"reason":"unreadable","note":"asked the sender"}',
    ),
    Sample(
        endpoint="orders.place",
        title="A request with an error",
        text="Errors are problem details (RFC 9457). `type` is an address that explains the problem;"
        " `errors` names each wrong field. `instance` has the id of the request, which is also in the header"
        " `X-Request-Id` and in the log. Nothing was written.",
        method="POST",
        target=FOLDER,
        headers=(JSON,),
        body=order("CATALOG-001", 0, 1500),
    ),
    Sample(
        endpoint="documents.problem",
        title="What a problem means",
        text="A browser gets a page, and any other client gets JSON.",
        target="/problems/invalid-fields",
    ),
    Sample(
        endpoint="health.ready",
        title="Can the service accept orders?",
        text="503 if the orders database is down. If the catalog database or the broker is down, the status"
        " is `degraded`: orders are accepted, and their events wait.",
        target="/readyz",
        awaited='"ready"',
    ),
    Sample(endpoint="health.live", title="Does the process answer?", target="/livez"),
    Sample(
        endpoint="health.actuator",
        title="The health of Spring Boot's actuator",
        text="`DOWN`, with the status 503, exactly when `/readyz` is 503.",
        target="/actuator/health",
    ),
    Sample(
        endpoint="health.order_service",
        title="The course's health check",
        text="`/catalog-service/health_check` and `/product-service/health-check` are the same for the"
        " catalog.",
        target="/order-service/health_check",
    ),
    Sample(
        endpoint="documents.home",
        title="Everything else",
        text="The addresses of the documentation. `/docs` shows every address with its parameters and"
        " limits, `/events` every event. `/metrics` has the metrics for Prometheus.",
        target="/",
    ),
    _problem("orders.index", f"{FOLDER}?limit=1&limit=2"),
    _problem("orders.index", f"{FOLDER}?limt=1"),
    _problem("orders.index", f"{FOLDER}?after=basket-17"),
    _problem("orders.cancel", f"{FOLDER}/{{a}}/cancel", "POST", headers='If-Match: "1"'),
    _problem("admin.list_orders", "/admin/orders", headers="Host: shop.example"),
    _problem("orders.place", FOLDER, "POST", body='{"productId"', headers=JSON),
    _problem("orders.place", FOLDER, "POST", body=order("x", 1, 1), headers=f"Idempotency-Key: a b\n{JSON}"),
    _problem("", "/orders"),
    _problem("orders.show", f"{FOLDER}/{ORDER_ID}"),
    _problem("catalog.show", "/catalog-service/catalogs/CATALOG-009"),
    _problem("orders.index", FOLDER, "DELETE"),
    _problem("orders.cancel", f"{FOLDER}/{{b}}/cancel", "POST"),
    _problem("orders.place", FOLDER, "POST", body=f'{{"productId":"{"x" * 65536}"}}', headers=JSON),
    _problem("", f"/{'x' * 8200}"),
    _problem("orders.place", FOLDER, "POST", body=order("x", 1, 1), headers="Content-Type: text/plain"),
    _problem("orders.index", FOLDER, headers="Expect: 200-ok"),
    _problem(
        "orders.place",
        FOLDER,
        "POST",
        body=order("CATALOG-002", 2, 1000),
        headers=f"Idempotency-Key: basket-17\n{JSON}",
    ),
    _problem("orders.index", FOLDER, headers="\n".join(f"X-{number}: x" for number in range(60))),
)
# The `detail` of problems that no sample provokes, as the code writes it. Without a row it is the meaning.
DETAILS = {
    "quota-exceeded": "You have sent too many requests. Send the next one in 3 s.",
    "request-timeout": "Send the body within 10 s.",
    "internal-server-error": "The service failed. The error was logged.",
    "database-unavailable": "The database is not available. Try again.",
    "overloaded": "Too many orders are waiting to be committed. This order was not placed. Try again.",
    "unauthorized": "Send a token in the header Authorization: `Bearer`, a space, and the token.",
    "insufficient-scope": "This request needs the scope orders:write. The client has orders:read.",
    "not-your-orders": "The token is ann's; it does not give access to another user's orders.",
    "too-many-waiters": "Too many requests wait for orders. Nothing was written. Try again, or do not wait.",
    "keys-unavailable": "The keys of the token's issuer are not available now.",
    "not-ready": "The orders database does not answer, or was not migrated.",
    "metrics-late": "The databases did not answer within 5 s.",
}
