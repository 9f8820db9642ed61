"""Metrics that are counted in the tables: what waits and what was given up on.

They are counted at a scrape, at most every 5 s. So each API process gives the same numbers, also after a
restart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.database.columns import utc_now
from orders_service.events import dead_letters, pending, set_aside
from orders_service.events.set_aside import LATELY
from orders_service.orders import service
from orders_service.processes import DatabaseName

FRESH_SECONDS = 5.0  # Counting costs the databases time.
PATIENCE_SECONDS = 4.0  # A database that takes longer is down.


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The counts of a database. By default it is down, and nothing could be counted."""

    up: bool = False
    events: Mapping[str, int] = field(default_factory=dict)  # Pending ones, by topic.
    ages: Mapping[str, float] = field(default_factory=dict)  # The age of the oldest pending event, by topic.
    set_aside: int = 0
    dead_letters: int = 0
    unanswered: float | None = None  # Age of the oldest PENDING order; None in the catalog.


class EventTables(Collector):
    """Collects the metrics of both databases. For a database that is down, it reports only that it is down.

    A topic with nothing pending is reported as 0, not left out.
    """

    def __init__(self, engines: Mapping[DatabaseName, Engine], topics: Mapping[str, set[str]]) -> None:
        self._counted = {
            name: SharedAnswer(
                partial(_count, engine, name, topics[name]),
                late=Counted,
                patience=PATIENCE_SECONDS,
                fresh=FRESH_SECONDS,
            )
            for name, engine in engines.items()
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metric families, with the values that could be read."""
        for shared in self._counted.values():
            shared.begin()
        counted = {name: shared.answer() for name, shared in self._counted.items()}
        up, pending_events, ages, set_aside, letters, unanswered = families()
        for name, values in counted.items():
            up.add_metric([name], values.up)
            if not values.up:
                continue
            for topic in values.events:
                pending_events.add_metric([name, topic], values.events[topic])
                ages.add_metric([name, topic], values.ages[topic])
            set_aside.add_metric([name], values.set_aside)
            letters.add_metric([name], values.dead_letters)
            if values.unanswered is not None:
                unanswered.add_metric([], values.unanswered)
        yield from (up, pending_events, ages, set_aside, letters, unanswered)


def families() -> tuple[GaugeMetricFamily, ...]:
    """The metric families, still without values."""
    database, lane = ["database"], ["database", "topic"]
    return (
        GaugeMetricFamily("orders_database_up", "1 if the database answers, 0 if not.", labels=database),
        GaugeMetricFamily(
            "orders_outbox_pending_events", "Events in the outbox that are not published yet.", labels=lane
        ),
        GaugeMetricFamily(
            "orders_outbox_pending_age_seconds",
            "Age of the oldest event that is not published yet.",
            labels=lane,
        ),
        GaugeMetricFamily(
            "orders_outbox_set_aside_events",
            f"Events that the broker refused permanently, among the newest {LATELY}.",
            labels=database,
        ),
        GaugeMetricFamily(
            "orders_dead_letters",
            "Dead letters that wait: neither replayed, nor discarded, nor on hold.",
            labels=database,
        ),
        GaugeMetricFamily(
            "orders_pending_age_seconds", "Age of the oldest PENDING order; 0 if no order is PENDING."
        ),
    )


def _count(engine: Engine, name: DatabaseName, topics: set[str]) -> Counted:
    try:
        with (
            engine.connect().execution_options(read_only=True) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            waiting = {lane.lane: lane for lane in pending.by_lane(session)}
            none = dict.fromkeys(sorted(waiting.keys() | topics), 0)
            return Counted(
                up=True,
                events=none | {topic: lane.events for topic, lane in waiting.items()},
                ages=none | {topic: _age(lane.oldest) for topic, lane in waiting.items()},
                set_aside=set_aside.count(session, LATELY),
                dead_letters=dead_letters.count(session),
                unanswered=_unanswered(session) if name == "orders" else None,
            )
    except SQLAlchemyError:
        return Counted()


def _unanswered(session: Session) -> float:
    order = service.oldest_pending(session)
    return _age(order.created_at) if order else 0.0


def _age(since: datetime) -> float:
    return max(0.0, (utc_now() - since).total_seconds())
