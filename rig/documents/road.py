"""The descriptions of the endpoints that show the road, and the JSON of their answers."""

from typing import Any

from orders_service.operations.road.orders import RECENT_SECONDS
from orders_service.orders.order import Status
from rig.documents.operation import Operation

Schema = dict[str, Any]

ROAD: dict[str, Operation] = {
    "admin.show_road": Operation(
        id="showRoad",
        tag="operators",
        summary="Show the road of the orders",
        description="What each of the five stations does now, and a headline that names the first one in"
        " trouble, with the command that helps. The reading is at most a second old. Rates and stopped"
        " consumers are known after a few readings: ask again within 5 s, or follow `/admin/live`. A database"
        " or a broker that does not answer makes its stations `unknown`, and no other.",
        answer="The road.",
        schema="Road",
        problems=("host-not-allowed", "overloaded"),
    ),
    "admin.follow_road": Operation(
        id="followRoad",
        tag="operators",
        summary="Follow the road of the orders",
        description="Server-sent events: `event: road` once a second, with the same JSON as `/admin/road`."
        " The stream ends after 5 minutes; a browser connects again by itself.",
        answer="The stream.",
        schema="Events",
        types=("text/event-stream",),
        problems=("host-not-allowed", "too-many-waiters"),
    ),
    "admin.show_kafka": Operation(
        id="showTopics",
        tag="operators",
        summary="Show the topics with their groups",
        description="Each partition with its offsets and, beside it, how far each consumer group has read."
        " If the broker does not answer, `problem` says so, and the lists are empty.",
        answer="The topics and the groups.",
        schema="Topics",
        problems=("host-not-allowed",),
    ),
    "admin.list_records": Operation(
        id="listRecords",
        tag="operators",
        summary="List the newest records of a topic",
        description="The newest records of a topic of the service, the newest first. Keys, headers and values"
        " are text in which control characters and other bytes are escapes. A value that is longer than"
        " 65,536 bytes is cut.",
        answer="The records.",
        schema="Records",
        problems=("host-not-allowed", "invalid-fields", "not-found", "broker-unavailable", "overloaded"),
    ),
}
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
INSTANT: Schema = TEXT | {"format": "date-time"}


def schemas() -> dict[str, Schema]:
    """The schemas of these answers, by name."""
    return {
        "Road": _object(
            at=INSTANT,
            service=_service(),
            headline=_object(
                level=TEXT | {"enum": ["well", "trouble"]},
                title=TEXT,
                detail=TEXT,
                command=TEXT_OR_NULL,
                advice=TEXT_OR_NULL,
            ),
            stations={
                "type": "array",
                "minItems": 5,
                "maxItems": 5,
                "items": {"$ref": "#/components/schemas/Station"},
            },
            answers=_or_null("Answers"),
            recent=_or_null("RecentOrders"),
            stock=_or_null("StockSum"),
            deadLetters=_or_null("DeadLetterCounts"),
        ),
        "Station": _station(),
        "Waiting": _object(count=COUNT | {"description": "Counted up to 10,000."}, of=TEXT),
        "LastError": _object(at=INSTANT, text=TEXT, path=TEXT),
        "Answers": _object(
            medianMs=NUMBER_OR_NULL | {"description": "Of the newest answers of the last 15 minutes."},
            p99Ms=NUMBER_OR_NULL
            | {"description": "99 of 100 of them came sooner; of fewer than 100, it is the slowest."},
            measured=COUNT | {"description": "The answers that these two numbers are about: at most 200."},
            secondsSinceLast=NUMBER_OR_NULL,
            waiting=COUNT | {"description": "PENDING orders, counted up to 10,000."},
        ),
        "RecentOrders": _recent(),
        "OrdersOfSecond": _object(at=INSTANT, **{status.lower(): COUNT for status in Status}),
        "StockSum": _object(
            **dict.fromkeys(("stock", "reserved", "supplied", "products", "wrongProducts"), COUNT),
            addsUp={"type": "boolean"},
            checkedAt=INSTANT,
        ),
        **_topics(),
        "DeadLetterCounts": _object(waiting=COUNT, onHold=COUNT),
    }


def _service() -> Schema:
    return _object(
        version=TEXT,
        address=TEXT,
        broker=TEXT | {"enum": ["kafka", "embedded"]},
        database=TEXT | {"enum": ["MariaDB", "SQLite"]},
        eventsVia=TEXT | {"enum": ["relay", "cdc"]},
        practice={"type": "boolean"},
        authMode=TEXT | {"enum": ["none", "jwt"]},
    )


def _station() -> Schema:
    return _object(
        name=TEXT | {"enum": ["post", "orders", "kafka", "catalog", "answer"]},
        title=TEXT,
        about=TEXT,
        state=TEXT
        | {
            "enum": ["well", "stopped", "unknown"],
            "description": "`unknown`: a database or the broker does not answer; `problem` says which.",
        },
        perSecond=NUMBER_OR_NULL,
        waiting=_or_null("Waiting"),
        oldestSeconds=NUMBER_OR_NULL,
        heldBy=TEXT_OR_NULL
        | {"description": "Who has the lease or the partitions; `nobody` if it is missed."},
        heldDetail=TEXT_OR_NULL,
        lastError=_or_null("LastError"),
        problem=TEXT_OR_NULL,
    )


def _topics() -> dict[str, Schema]:
    number_or_null: Schema = {"type": ["integer", "null"], "minimum": 0}
    return {
        "Topics": _object(
            topics=_list("Topic"),
            groups=_list("Group"),
            connectors={"type": ["array", "null"], "items": {"type": "object"}},
            connectorsProblem=TEXT_OR_NULL,
            problem=TEXT_OR_NULL,
        ),
        "Topic": _object(
            name=TEXT,
            replication=COUNT,
            inSync=COUNT,
            partitions=_list("Partition"),
            lag={"type": "object", "additionalProperties": COUNT},
        ),
        "Partition": _object(partition=COUNT, first=COUNT, end=COUNT, groups=_list("GroupInPartition")),
        "GroupInPartition": _object(group=TEXT, committed=number_or_null, lag=COUNT, member=TEXT_OR_NULL),
        "Group": _object(
            name=TEXT,
            members=number_or_null | {"description": "null if the broker cannot tell."},
            lag=COUNT,
        ),
        "Records": _list("RecordInLog"),
        "RecordInLog": _object(
            place=TEXT | {"description": "`topic-partition@offset`"},
            at=TEXT_OR_NULL,
            key=TEXT_OR_NULL,
            headers={
                "type": "array",
                "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": TEXT_OR_NULL},
            },
            value=TEXT_OR_NULL,
            cut={"type": "boolean", "description": "Whether something of a large record is left out."},
        ),
    }


def _list(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _recent() -> Schema:
    counts = {status.lower(): COUNT for status in Status}
    return _object(
        seconds={"type": "integer", "const": RECENT_SECONDS},
        placed=COUNT,
        **counts,
        bySecond={
            "type": "array",
            "maxItems": RECENT_SECONDS,
            "items": {"$ref": "#/components/schemas/OrdersOfSecond"},
        },
    )


def _or_null(name: str) -> Schema:
    return {"oneOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": "null"}]}


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": [*members]}
