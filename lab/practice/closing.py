"""The summary at the end of the practice: what was learnt, and what to read next."""

from collections.abc import Collection

LEARNT = {
    1: "A topic is a log. Reading removes nothing: with --from-beginning every record comes again.",
    2: "mydb is the connectors' database. The services have databases of their own.",
    3: "Connect keeps all that it knows in three topics, and finds connectors on its plugin.path.",
    4: "A source turns each row that changes into a record: {schema, payload}.",
    5: "A sink turns records into rows, and makes its table from their schema.",
    6: "The sink reads the topic, whoever wrote there: a record by hand is in its table only.",
    7: "An order and its event are one commit. The catalog answers, and the order is CONFIRMED.",
    8: "Two instances with a database each show half of the orders. That is the problem.",
    9: "Two instances on one database show all of them. The sink's table is a copy.",
}
NEXT = [
    ("the same steps for your own fingers, and what goes wrong", "docs/course.md"),
    ("a shell with the commands of the slides", "python -m lab shell"),
    ("the service on its own, with the page http://localhost:8000/ui", "orders-service run"),
    ("an order's way through the code", "docs/architecture.md"),
    ("what is wrong on this lab, and what to do", "orders-service doctor"),
    ("what happens when every process is killed under load", "make faults"),
]


def summary(steps: Collection[int]) -> str:
    """The summary of the steps that were run."""
    lines = ["", "What you have seen", *(f"  {step}. {LEARNT[step]}" for step in sorted(set(steps)))]
    lines += ["", "Where to look next", *(f"  {place:<22} {what}" for what, place in NEXT)]
    return "\n".join(lines)
