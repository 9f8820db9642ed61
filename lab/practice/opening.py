"""The line at the beginning of each step of the practice, and the steps that another one goes on from."""

from collections.abc import Sequence

from ..terminal import Terminal
from .connectors import SINK, SOURCE

LOOK_AT = {
    1: "the consumer: it shows each line that the producer is given, and later all lines again.",
    2: "the tables: the source reads users, and the sink of step 9 writes orders.",
    3: "the topics: Connect keeps its state in three of them.",
    4: "the record: its schema and its payload come from one row.",
    5: "my_topic_users: the sink makes this table and fills it from the topic's beginning.",
    6: "users: the row of a record by hand is not there.",
    7: "the order's status and the stock: the catalog's answer changes both.",
    8: "the number of orders: it depends on which instance you ask.",
    9: "both lists and mydb.orders: all have the same five orders.",
}
# Steps 5 and 6 go on with what these steps make.
NEEDS: dict[int, list[int]] = {5: [4], 6: [4, 5]}


def missing(terminal: Terminal, first: int) -> Sequence[int]:
    """The steps that must be run before the step *first*, because what they make is not there."""
    needed = NEEDS.get(first, [])
    if not needed:
        return []
    there = terminal.http("GET", f"{terminal.connect}/connectors", quiet=True)
    is_made = {
        4: SOURCE in there and bool(terminal.rows("SELECT 1 FROM mydb.users LIMIT 1")),
        5: SINK in there,
    }
    return next((needed[place:] for place, step in enumerate(needed) if not is_made[step]), [])
