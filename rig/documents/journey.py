"""The description of the endpoint that tells one order's journey, and the JSON of its answer."""

from typing import Any

from orders_service.operations.journey.journey import ENTRIES
from rig.documents.operation import DATABASE, Operation
from rig.documents.shapes import FLAG, TEXT, list_, object_, or_null, ref

Schema = dict[str, Any]

JOURNEY: dict[str, Operation] = {
    "admin.show_journey": Operation(
        id="showJourney",
        tag="operators",
        summary="Tell an order's journey",
        description="Where the order was, and when: its rows in both databases, and its records in the log"
        " with every repeat. The records are searched for while the client waits, for 3 s at most, and at"
        " most 10,000 are read from one time on. What is missing is explained. A catalog database or a broker"
        " that does not answer leaves out its own entries only,"
        " and so does a log in which too many others search. The texts are for people and may change.",
        answer="The journey.",
        schema="Journey",
        problems=("host-not-allowed", "order-not-found", *DATABASE),
    ),
}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
# Others may be added: a client must expect them.
KINDS = (
    *("placed", "recorded", "sent", "in-log", "reserved", "rejected", "released", "void", "answer-recorded"),
    *("answer-in-log", "confirmed", "order-rejected", "cancelled", "dead-letter", "repeat", "missing"),
)
MARKS = ("passed", "confirmed", "rejected", "cancelled", "stopped", "hold", "repeat", "missing")


def schemas() -> dict[str, Schema]:
    """The schemas of this answer, by name."""
    return {
        "Journey": object_(
            order=ref("OrderOfUser"),
            state=TEXT | {"enum": ["pending", "confirmed", "rejected", "cancelled", "stopped"]},
            title=TEXT,
            subtitle=TEXT,
            traceId=TEXT_OR_NULL,
            command=TEXT | {"description": "The command that prints the same."},
            entries=list_(ref("JourneyEntry"), ENTRIES),
        ),
        "JourneyEntry": object_(
            kind=TEXT | {"description": f"Such as {', '.join(f'`{kind}`' for kind in KINDS)}."},
            mark=TEXT
            | {"description": f"Its shape on the page: {', '.join(f'`{mark}`' for mark in MARKS)}."},
            title=TEXT,
            detail=TEXT,
            at=TEXT_OR_NULL | {"format": "date-time", "description": "Null if it is not known."},
            digits={"type": "integer", "enum": [3, 6], "description": "The digits of its second that count."},
            gap=TEXT_OR_NULL
            | {
                "description": "The time since the entry before, such as `+2 ms`; `0 (clocks differ)` if it"
                " seems to be negative; `not yet`."
            },
            source=TEXT,
            onRuler=FLAG | {"description": "Whether it is a stop of the order's first way."},
            facts={"type": "array", "items": list_(TEXT, 2)},
            place=TEXT_OR_NULL | {"description": "Of its record: `topic-partition@offset`."},
            record=or_null(ref("StoredRecord")),
            path=TEXT_OR_NULL | {"description": "The address of its page."},
        ),
    }
