"""Reads what the service wrote from MariaDB in its container, and lets the judge of `rig` check it."""

import json
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace

from rig.customers import Customer
from rig.promises import History, violations
from rig.waiting import wait
from trial.shell import TrialError, say
from trial.stack import Stack

SETTLE_SECONDS = 30
SINK_SECONDS = 60
OUTBOX = ("id", "type", "aggregateid", "topic", "lane", "error")
DEAD_LETTERS = ("topic", "partition", "offset", "reason", "detail")


def deliver(stack: Stack, qty: int) -> None:
    """Add *qty* pieces to the stock of every product."""
    supply = f"SELECT product_id, {qty}, 'delivery', UTC_TIMESTAMP(6) FROM catalog.catalog"
    stack.sql(
        f"START TRANSACTION; UPDATE catalog.catalog SET stock = stock + {qty};"
        f"INSERT INTO catalog.supplies (product_id, qty, note, created_at) {supply}; COMMIT"
    )


def check(stack: Stack, told: Sequence[Customer]) -> None:
    """Raise `TrialError` unless every promise is kept. An outbox row may be marked after the answer."""
    broken: list[str] = []

    def all_are_kept() -> bool:
        broken[:] = violations(read(stack, told))
        return not broken

    if not wait(all_are_kept, seconds=SETTLE_SECONDS, pause=0.5):
        raise TrialError("\n".join(["promises are broken:", *broken]))
    say(f"  {len(told)} orders, none lost, none twice; stock + Σ reserved = Σ supplied; outboxes empty")


def read(stack: Stack, told: Sequence[Customer]) -> History:
    """Every row of the service's tables. The log is not read."""
    orders = _rows(stack, "orders.orders", "order_id", "user_id", "product_id", "qty", "status", "reason")
    reservations = _rows(stack, "catalog.reservations", "order_id", "product_id", "qty", "state", "reason")
    supplied: Counter[str] = Counter()
    for supply in _rows(stack, "catalog.supplies", "product_id", "qty"):
        supplied[supply.product_id] += supply.qty
    history = History(
        told=told,
        orders={row.order_id: row for row in orders},
        reservations={row.order_id: row for row in reservations},
        stock={row.product_id: row.stock for row in _rows(stack, "catalog.catalog", "product_id", "stock")},
        supplied=supplied,
        log_was_read=False,
    )
    for name in ("orders", "catalog"):
        history.outbox = [*history.outbox, *_rows(stack, f"{name}.outbox", *OUTBOX)]
        history.dead = [*history.dead, *_rows(stack, f"{name}.dead_letters", *DEAD_LETTERS)]
    return history


def _rows(stack: Stack, table: str, *columns: str) -> list[SimpleNamespace]:
    """Every row of a table, as JSON, which keeps numbers and NULL. The bytes of dead letters are not read."""
    members = ", ".join(f"'{column}', `{column}`" for column in columns)
    lines = stack.sql(f"SELECT JSON_OBJECT({members}) FROM {table}")
    return [SimpleNamespace(**{"value": b""} | json.loads(line)) for (line,) in lines]


def await_sink(one: Stack, told: Sequence[Customer]) -> None:
    """Wait until each order has exactly one row in the table that Connect writes."""
    wanted = sorted(order_id for customer in told for order_id in customer.order_ids)

    def found() -> list[str]:
        return sorted(row[0] for row in one.sql("SELECT order_id FROM mydb.orders"))

    if not wait(lambda: found() == wanted, seconds=SINK_SECONDS, pause=0.5):
        raise TrialError(f"the sink's table has {len(found())} orders instead of {len(wanted)}")
    say(f"  Connect wrote each of the {len(wanted)} orders to mydb.orders, once")
