"""Metrics for Prometheus: pending events and orders, events set aside, and dead letters.

They are counted in the tables at a scrape. So each API process gives the same numbers, also after a restart.
"""

from collections.abc import Iterator, Mapping

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.api.identity.key_sets import FetchedKeys
from orders_service.api.problems import problem
from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.database.columns import utc_now
from orders_service.events import dead_letters, pending
from orders_service.orders import service
from orders_service.processes import RELAYS, DatabaseName
from orders_service.settings import Settings

PATIENCE_SECONDS = 5.0  # Prometheus has a scrape time-out of 10 s.
LATELY = 10_000  # Only this many of the newest outbox rows are searched: no index finds events set aside.

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def show() -> ResponseReturnValue:
    """Metrics for Prometheus. All scrapers share one answer, because counting costs the databases time."""
    counted: SharedAnswer[bytes] = current_app.extensions["metrics"]
    text = counted.answer()
    if not text:
        return problem("metrics-late", f"The databases did not answer within {PATIENCE_SECONDS:.0f} s.")
    return current_app.response_class(text, content_type=CONTENT_TYPE_LATEST)


def shared_metrics(
    settings: Settings, engines: Mapping[DatabaseName, Engine], issuer_keys: FetchedKeys | None = None
) -> SharedAnswer[bytes]:
    """The metrics as text, counted through *engines* at most once a second."""
    topics: dict[str, set[str]] = {database: set() for database in engines}
    for relay in RELAYS:
        topics[relay.database].update(resources.sent_topics(settings, relay))
    registry = CollectorRegistry()
    registry.register(EventTables(engines, topics))
    if issuer_keys:
        registry.register(KeyAge(issuer_keys))
    return SharedAnswer(lambda: generate_latest(registry), late=bytes, patience=PATIENCE_SECONDS)


class KeyAge(Collector):
    """Collects the age of the issuer's keys. Each API process fetches them by itself."""

    def __init__(self, keys: FetchedKeys) -> None:
        self._keys = keys

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The age; nothing if the keys were never fetched: then `/readyz` answers 503."""
        if (age := self._keys.age) is not None:
            yield GaugeMetricFamily(
                "orders_auth_keys_age_seconds", "Age of the keys of AUTH_JWKS_URL in this process.", value=age
            )


class EventTables(Collector):
    """Collects the metrics of both databases. For a database that is down, it reports only that it is down.

    A topic with nothing pending is reported as 0, not left out.
    """

    def __init__(self, engines: Mapping[DatabaseName, Engine], topics: Mapping[str, set[str]]) -> None:
        self._engines = engines
        self._topics = topics

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metric families, with the values that could be read."""
        self.up = GaugeMetricFamily(
            "orders_database_up", "1 if the database answers, 0 if not.", labels=["database"]
        )
        self.pending = GaugeMetricFamily(
            "orders_outbox_pending_events",
            "Events in the outbox that are not published yet.",
            labels=["database", "topic"],
        )
        self.oldest = GaugeMetricFamily(
            "orders_outbox_pending_age_seconds",
            "Age of the oldest event that is not published yet.",
            labels=["database", "topic"],
        )
        self.set_aside = GaugeMetricFamily(
            "orders_outbox_set_aside_events",
            f"Events that the broker refused permanently, among the newest {LATELY}.",
            labels=["database"],
        )
        self.dead_letters = GaugeMetricFamily(
            "orders_dead_letters",
            "Dead letters that were neither replayed nor discarded.",
            labels=["database"],
        )
        self.unanswered = GaugeMetricFamily(
            "orders_pending_age_seconds", "Age of the oldest PENDING order; 0 if no order is PENDING."
        )
        for name in self._engines:
            self._read(name)
        yield from (
            self.up,
            self.pending,
            self.oldest,
            self.set_aside,
            self.dead_letters,
            self.unanswered,
        )

    def _read(self, name: DatabaseName) -> None:
        try:
            with (
                self._engines[name].connect().execution_options(read_only=True) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                self._read_events(session, name)
                if name == "orders":
                    order = service.oldest_pending(session)
                    age = (utc_now() - order.created_at).total_seconds() if order else 0.0
                    self.unanswered.add_metric([], max(0.0, age))
        except SQLAlchemyError:
            self.up.add_metric([name], 0)
        else:
            self.up.add_metric([name], 1)

    def _read_events(self, session: Session, name: str) -> None:
        waiting = {lane.lane: lane for lane in pending.by_lane(session)}
        for topic in sorted(waiting.keys() | self._topics[name]):
            lane = waiting.get(topic)
            age = (utc_now() - lane.oldest).total_seconds() if lane else 0.0
            self.pending.add_metric([name, topic], lane.events if lane else 0)
            self.oldest.add_metric([name, topic], max(0.0, age))
        self.set_aside.add_metric([name], pending.set_aside_lately(session, LATELY))
        self.dead_letters.add_metric([name], dead_letters.count(session))
