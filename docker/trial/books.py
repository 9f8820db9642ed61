"""What must be true in the databases when everything is answered, asked by SQL past the service."""

import time
from collections.abc import Collection

from rig.waiting import Deadline
from trial.shell import TrialError, say
from trial.stack import Stack

SETTLE_SECONDS = 30
BALANCE = """
SELECT c.product_id, c.stock,
  (SELECT COALESCE(SUM(r.qty), 0) FROM catalog.reservations r
   WHERE r.product_id = c.product_id AND r.state = 'RESERVED'),
  (SELECT COALESCE(SUM(s.qty), 0) FROM catalog.supplies s WHERE s.product_id = c.product_id)
FROM catalog.catalog c"""
DISAGREE = """
SELECT COUNT(*) FROM orders.orders o LEFT JOIN catalog.reservations r ON r.order_id = o.order_id
WHERE COALESCE(r.state, '') <> CASE o.status WHEN 'CONFIRMED' THEN 'RESERVED' ELSE o.status END"""
LEFT = """
SELECT (SELECT COUNT(*) FROM orders.outbox WHERE lane IS NOT NULL OR error IS NOT NULL)
     + (SELECT COUNT(*) FROM catalog.outbox WHERE lane IS NOT NULL OR error IS NOT NULL),
       (SELECT COUNT(*) FROM orders.dead_letters) + (SELECT COUNT(*) FROM catalog.dead_letters)"""


def deliver(stack: Stack, qty: int) -> None:
    """Put that many more pieces of every product on the shelf."""
    supply = f"SELECT product_id, {qty}, 'delivery', UTC_TIMESTAMP(6) FROM catalog.catalog"
    stack.sql(
        f"START TRANSACTION; UPDATE catalog.catalog SET stock = stock + {qty};"
        f"INSERT INTO catalog.supplies (product_id, qty, note, created_at) {supply}; COMMIT"
    )


def check(stack: Stack, accepted: Collection[str]) -> None:
    """Raise `TrialError` unless nothing was lost, nothing was done twice and the stock adds up."""
    rows = dict(stack.sql("SELECT order_id, status FROM orders.orders"))
    lost, extra = set(accepted) - rows.keys(), rows.keys() - set(accepted)
    if lost or extra:
        raise TrialError(f"{len(lost)} accepted orders are lost, {len(extra)} are there unasked")
    pending = [order_id for order_id, status in rows.items() if status == "PENDING"]
    if pending:
        raise TrialError(f"{len(pending)} orders are still PENDING: {pending[:3]}")
    for product, stock, reserved, supplied in stack.sql(BALANCE):
        if int(stock) < 0 or int(stock) + int(reserved) != int(supplied):
            raise TrialError(f"{product}: stock {stock} + reserved {reserved} is not supplied {supplied}")
    (disagree,) = stack.sql(DISAGREE)[0]
    if int(disagree):
        raise TrialError(f"{disagree} orders do not end as their reservations do")
    _await_empty(stack)
    say(f"  {len(rows)} orders, none lost, none twice; stock + Σ reserved = Σ supplied; outboxes empty")


def _await_empty(stack: Stack) -> None:
    """A row is marked after the broker has its event, so it may follow the answer."""
    deadline = Deadline(SETTLE_SECONDS)
    while (left := stack.sql(LEFT)[0]) != ["0", "0"]:
        if deadline.over:
            raise TrialError(f"{left[0]} outbox rows wait, {left[1]} dead letters lie there")
        time.sleep(0.5)
