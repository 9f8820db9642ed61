"""The relay: its rate with a backlog, its latency when idle, and its CPU time when there is nothing to do."""

import time

from sqlalchemy.orm import Session

from bench.stage import Stage, percentile, throughput
from orders_service import resources
from orders_service.contract.events import OrderPlaced
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_engine
from rig.processes import Process, service
from rig.waiting import await_true

BACKLOG = 60_000
SINGLE = 100  # How many events are recorded one at a time.
APART_SECONDS = 0.15
REST_SECONDS = 10
PENDING_SECONDS = 120
STUCK = 1_000_000  # Events that wait for a missing topic.
STUCK_DAYS = 30  # How long they have waited.
PORTION = 100_000  # Rows of one INSERT.


def backlog(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Events a second from a backlog, until they are acknowledged and marked."""
    return {"orders-relay": [backlog_once(stage) for _ in range(rounds)]}


def idle(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Milliseconds from a commit to the mark after its acknowledgement, and the CPU share when idle."""
    relay = stage.add("orders-relay", service("orders-relay"))
    stage.empty()
    stage.fill_outbox(1)
    relay.start()
    _await_pending(stage, 0)  # The start of the relay is not measured.
    found = [_idle(stage, relay) for _ in range(rounds)]
    relay.end()
    return {"orders-relay": found}


def upkeep(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The same latency with and without many old events of a missing topic."""
    found: dict[str, list[dict[str, float]]] = {"without stuck events": [], f"beside {STUCK:,}": []}
    relay = stage.add("orders-relay", service("orders-relay"))
    for _ in range(rounds):
        for subject, stuck in zip(found, (0, STUCK), strict=True):
            stage.empty()
            for _ in range(stuck // PORTION):
                stage.fill_outbox(PORTION, topic="a-topic-that-is-missing", days=STUCK_DAYS)
            stage.fill_outbox(1)
            relay.start()
            _await_pending(stage, stuck)
            found[subject].append(_idle(stage, relay))
            relay.end()
    return found


def backlog_once(stage: Stage, **settings: str) -> dict[str, float]:
    """One round of `backlog`, with a relay that has these *settings*."""
    stage.empty()
    stage.fill_outbox(BACKLOG)
    relay = stage.add("orders-relay", service("orders-relay"), **settings)
    relay.start()
    found = throughput(relay, lambda: BACKLOG - _pending(stage), total=BACKLOG, seconds=PENDING_SECONDS)
    relay.end()
    return found


def _idle(stage: Stage, relay: Process) -> dict[str, float]:
    outbox = resources.outbox(stage.settings, "orders")
    engine = open_engine(stage.settings.orders_database_url)
    commits: dict[str, float] = {}
    for number in range(SINGLE):
        event = OrderPlaced(order_id=f"{time.time_ns()}-{number}", product_id="CATALOG-001", qty=1)
        with Session(engine) as session:
            outbox.record(session.connection(), [event], utc_now())
            session.commit()
        commits[event.order_id] = utc_now().timestamp()
        time.sleep(APART_SECONDS)
    marks = stage.sql(
        "SELECT aggregateid, UNIX_TIMESTAMP(published_at) FROM orders.outbox WHERE lane IS NULL"
    )
    waits = [float(str(at)) - commits[str(id_)] for id_, at in marks if str(id_) in commits and at]
    engine.dispose()
    before = relay.cpu()
    time.sleep(REST_SECONDS)
    return {
        "p50_ms": percentile(waits, 50) * 1000,
        "p99_ms": percentile(waits, 99) * 1000,
        "rest_percent": (relay.cpu() - before) / REST_SECONDS * 100,
    }


def _pending(stage: Stage) -> int:
    return stage.number("SELECT count(*) FROM orders.outbox WHERE lane IS NOT NULL")


def _await_pending(stage: Stage, count: int) -> None:
    await_true(lambda: _pending(stage) == count, f"{count} events are pending", seconds=PENDING_SECONDS)
