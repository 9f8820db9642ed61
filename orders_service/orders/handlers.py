"""(8) The catalog's answer confirms or rejects an order."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from orders_service.contract.events import StockRejected, StockReserved
from orders_service.database.columns import Clock, utc_now
from orders_service.events.consumer import Received
from orders_service.events.dead_letters import Refused
from orders_service.orders import answers, service
from orders_service.orders.order import Status

log = structlog.get_logger()


def on_stock_answered(
    session: Session, received: Sequence[Received], *, clock: Clock = utc_now
) -> Sequence[Refused]:
    """Apply the catalog's answers. An answer changes nothing if its order is unknown or no longer PENDING."""
    now = clock()
    reserved: set[str] = set()
    rejected: dict[str, set[str]] = defaultdict(set)
    for event in (r.event for r in received):
        if isinstance(event, StockReserved):
            reserved.add(event.order_id)
        elif isinstance(event, StockRejected):
            rejected[event.reason].add(event.order_id)
    moved: Counter[answers.Outcome] = Counter()
    if reserved:
        moved[Status.CONFIRMED, ""] = service.confirm(session, sorted(reserved), now=now)
    for reason, order_ids in sorted(rejected.items()):
        moved[answers.rejection(reason)] += service.reject(session, sorted(order_ids), reason, now=now)
    answers.observe(session, moved, reserved.union(*rejected.values()), now=now, clock=clock)
    if ignored := len(reserved) + sum(map(len, rejected.values())) - moved.total():
        log.info("ignored answers for orders that are not PENDING", count=ignored)
    return []
