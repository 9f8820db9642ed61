"""The descriptions of what operators do under `/admin`, beside dead letters, and the JSON of it."""

from orders_service.api.admin.outbox import SHOWN
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, TEXT_MAX, UNIT_PRICE_MAX
from orders_service.events.set_aside import LATELY
from orders_service.operations.actions import LISTED
from orders_service.operations.stock import PRODUCTS, SUPPLIES
from orders_service.orders.order import Status
from orders_service.processes import DATABASES
from rig.documents.operation import CHANGE, Operation, with_problems
from rig.documents.parameters import key_text
from rig.documents.shapes import COUNT, FLAG, TEXT, TIME, Schema, list_, object_, or_null, ref

PRODUCT_ID: Schema = {"type": "string", "maxLength": PRODUCT_ID_MAX}
SECONDS: Schema = {"type": "number", "minimum": 0}
DONE: dict[str, Schema] = {
    "done": TEXT | {"description": "What was done, as a sentence."},
    "command": or_null(TEXT | {"description": "The command that does the same."}),
}

OPERATIONS: dict[str, Operation] = {
    "admin.show_stock": Operation(
        id="showStock",
        tag="operators",
        summary="Show the stock and what it is made of",
        description="The stock and the reserved pieces of a product are together what was supplied. `sum` is"
        f" the sum of all products, of which the first {PRODUCTS} are shown: `more` is true if there are"
        " others.",
        answer="The products, their sum, and the newest supplies.",
        schema="Stock",
        problems=("host-not-allowed",),
    ),
    "admin.supply_stock": Operation(
        id="supplyStock",
        tag="operators",
        summary="Add a delivery to the stock",
        description="Once for each note. A new product needs its name and its price.",
        body="Delivery",
        answer="What was done.",
        schema="StockChanged",
        **with_problems(CHANGE, "product-not-found"),
    ),
    "admin.correct_stock": Operation(
        id="correctStock",
        tag="operators",
        summary="Correct the stock",
        description="Once for each note. Reserved pieces are never taken.",
        body="Correction",
        answer="What was done.",
        schema="StockChanged",
        **with_problems(CHANGE, "product-not-found"),
    ),
    "admin.show_outbox": Operation(
        id="showOutbox",
        tag="operators",
        summary="Show the events that wait, and those set aside",
        description="A lane is a topic with its pending events. An event is set aside if the broker refused"
        f" it permanently; they are looked for among the newest {LATELY} events.",
        answer="The outbox of each database.",
        schema="Outboxes",
        problems=("host-not-allowed",),
    ),
    "admin.requeue_outbox": Operation(
        id="requeueEvents",
        tag="operators",
        summary="Send events again that were set aside",
        description="All that `GET /admin/outbox` looks at. Consumers ignore those that they have already"
        " applied.",
        body="Requeue",
        answer="What was done.",
        schema="EventsRequeued",
        **CHANGE,
    ),
    "admin.cancel_order": Operation(
        id="cancelOrderOfAnyUser",
        tag="operators",
        summary="Cancel an order of any user",
        body="Nothing",
        answer="What was done.",
        schema="OrderChanged",
        **with_problems(CHANGE, "order-not-found", "order-rejected"),
    ),
    "admin.resend_order": Operation(
        id="resendOrder",
        tag="operators",
        summary="Send the event of an order again",
        description="The catalog then repeats its answer. Do not use it if the course's own catalog reads the"
        " orders: it would take the stock a second time.",
        body="Nothing",
        answer="What was done.",
        schema="OrderChanged",
        **with_problems(CHANGE, "order-not-found"),
    ),
    "admin.list_actions": Operation(
        id="listActions",
        tag="operators",
        summary="List what operators did",
        description="The newest actions over HTTP, newest first. `problem` says which database did not"
        " answer.",
        answer="The actions.",
        schema="Actions",
        problems=("host-not-allowed",),
    ),
}


def schemas() -> dict[str, Schema]:
    """The schemas of the requests and answers, by name."""
    whole: Schema = {"type": "integer"}
    sums: dict[str, Schema] = {"stock": COUNT, "reserved": COUNT, "supplied": whole, "addsUp": FLAG}
    note = key_text(TEXT_MAX) | {"description": "What identifies this delivery or correction."}
    new = {
        "productName": key_text(TEXT_MAX),
        "unitPrice": {"type": "integer", "minimum": 0, "maximum": UNIT_PRICE_MAX},
    }
    return {
        "Stock": object_(
            products=list_(
                object_(
                    productId=PRODUCT_ID,
                    productName=TEXT,
                    unitPrice=COUNT,
                    **sums,
                    surplus=whole | {"description": "`stock` and `reserved` without `supplied`."},
                ),
                PRODUCTS,
            ),
            sum=or_null(object_(**sums)),
            supplies=list_(object_(productId=PRODUCT_ID, qty=whole, note=TEXT, at=TIME), SUPPLIES),
            more=FLAG,
            problem=or_null(TEXT),
        ),
        "Delivery": _body(
            {"qty": {"type": "integer", "minimum": 1, "maximum": INT_MAX}, "note": note}, **new
        ),
        "Correction": _body(
            {
                "qty": {"type": "integer", "minimum": -INT_MAX, "maximum": INT_MAX, "not": {"const": 0}},
                "note": note,
            }
        ),
        "StockChanged": object_(**DONE, changed=FLAG, stock=COUNT),
        "Outboxes": object_(databases=list_(ref("Outbox"), len(DATABASES))),
        "Outbox": object_(
            name={"type": "string", "enum": [*DATABASES]},
            lanes={"type": "array", "items": ref("Lane")},
            setAside=list_(object_(id=TEXT, type=TEXT, orderId=TEXT, topic=TEXT, error=TEXT, at=TIME), SHOWN),
            searched=COUNT,
            problem=or_null(TEXT),
        ),
        "Lane": object_(
            topic=TEXT,
            pending=COUNT,
            oldestSeconds=or_null(SECONDS),
            owner=or_null(TEXT | {"description": "The relay that holds the lease."}),
            leaseSeconds=or_null(SECONDS),
        ),
        "Requeue": _body(
            {"database": {"type": "string", "enum": [*DATABASES]}},
            dryRun=FLAG | {"description": "`true`: change nothing, only say how many it would be."},
        ),
        "EventsRequeued": object_(
            **DONE,
            changed=COUNT,
            wouldChange=or_null(COUNT | {"description": "With `dryRun`: those that would be sent again."}),
        ),
        "Nothing": _body({}),
        "OrderChanged": object_(**DONE, status={"type": "string", "enum": [*Status]}),
        "Actions": object_(
            actions=list_(object_(at=TIME, by=TEXT, action=TEXT, on=TEXT, outcome=TEXT), LISTED),
            problem=or_null(TEXT),
        ),
    }


def _body(required: dict[str, Schema], **optional: Schema) -> Schema:
    found = object_(**required)
    return found | {"properties": required | optional, "additionalProperties": False}
