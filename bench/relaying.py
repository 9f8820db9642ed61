"""The relay: how fast it works off a backlog, how soon it sends when it is idle, and what its rest costs."""

import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from bench.processes import Process
from bench.stage import Stage, ours, percentile
from orders_service import resources
from orders_service.contract.events import OrderPlaced
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_engine

BACKLOG = 60_000
SINGLE = 100  # Events recorded one at a time,
APART_SECONDS = 0.15  # so far apart.
REST_SECONDS = 10
PATIENCE_SECONDS = 120
STUCK = 1_000_000  # Events that wait for a topic that is missing,
STUCK_DAYS = 30  # for so long.
PORTION = 100_000  # Written in one statement.


def backlog(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Events a second from a backlog to acknowledged and marked."""
    return {"orders-relay": [_backlog(stage) for _ in range(rounds)]}


def idle(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """From a commit to the mark after its acknowledgement, and the processor's share at rest."""
    relay = stage.run("orders-relay", ours("orders-relay"))
    stage.empty()
    stage.fill_outbox(1)
    relay.start()
    await_change(_waiting(stage), 1)  # It has started: its own start is not what an event waits for.
    found = [_idle(stage, relay) for _ in range(rounds)]
    relay.stop()
    return {"orders-relay": found}


def upkeep(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """From a commit to the mark, without and with events of a missing topic, older than the outbox keeps."""
    found: dict[str, list[dict[str, float]]] = {"without stuck events": [], f"beside {STUCK:,}": []}
    relay = stage.run("orders-relay", ours("orders-relay"))
    for _ in range(rounds):
        for subject, stuck in zip(found, (0, STUCK), strict=True):
            stage.empty()
            for _ in range(stuck // PORTION):
                stage.fill_outbox(PORTION, topic="a-topic-that-is-missing", days=STUCK_DAYS)
            stage.fill_outbox(1)
            relay.start()
            await_change(_waiting(stage), 1 + stuck)
            found[subject].append(_idle(stage, relay))
            relay.stop()
    return found


def _backlog(stage: Stage) -> dict[str, float]:
    stage.empty()
    stage.fill_outbox(BACKLOG)
    relay = stage.run("orders-relay", ours("orders-relay"))
    relay.start()
    left = _waiting(stage)
    await_change(left, BACKLOG)
    before, began, first = relay.cpu(), time.monotonic(), left()
    rest = await_change(left, first, until=0)
    spent, seconds = relay.cpu() - before, time.monotonic() - began
    relay.stop()
    return {"rate": (first - rest) / seconds, "cpu_ms": spent / (first - rest) * 1000}


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


def _waiting(stage: Stage) -> Callable[[], int]:
    return lambda: int(str(stage.sql("SELECT count(*) FROM orders.outbox WHERE lane IS NOT NULL")[0][0]))


def await_change(count: Callable[[], int], before: int, *, until: int | None = None) -> int:
    """Wait until *count* is no longer *before*, or has come to *until*; what it is then."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := count()) == before if until is None else (now := count()) != until:
        if time.monotonic() > deadline:
            raise RuntimeError(f"it stands at {now}, and should have gone on from {before} to {until}")
        time.sleep(0.02)
    return now
