"""Everything that waits or was given up on, as numbers for Prometheus.

Counted in the tables when somebody asks: the same whichever API answers, and true after a restart.
"""

from collections.abc import Iterator

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service import wiring
from orders_service.api.database import db
from orders_service.database import utc_now
from orders_service.events import care, dead_letters
from orders_service.orders import service

ENGINES = {"orders": None, "catalog": "catalog"}
LATELY = 10_000  # So many of the outbox's newest rows are looked at: no index tells what was set aside.

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def show() -> ResponseReturnValue:
    """What Prometheus comes for."""
    return Response(generate_latest(Books()), content_type=CONTENT_TYPE_LATEST)


class Books(Collector):
    """Both databases, as they are now. Of one that does not answer nothing is told but that."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All families, each with what could be read."""
        self.up = GaugeMetricFamily("orders_database_up", "Whether it answers.", labels=["database"])
        self.pending = GaugeMetricFamily(
            "orders_outbox_pending_events", "Recorded, and not published yet.", labels=["database", "topic"]
        )
        self.oldest = GaugeMetricFamily(
            "orders_outbox_pending_age_seconds", "Age of the oldest of those.", labels=["database", "topic"]
        )
        self.set_aside = GaugeMetricFamily(
            "orders_outbox_set_aside_events",
            f"Refused by the broker for good, among the newest {LATELY}.",
            labels=["database"],
        )
        self.dead_letters = GaugeMetricFamily(
            "orders_dead_letters", "Given up on, neither replayed nor discarded.", labels=["database"]
        )
        self.unanswered = GaugeMetricFamily(
            "orders_pending_age_seconds", "Age of the oldest order without an answer; 0 if all have one."
        )
        for name in ENGINES:
            self._read(name)
        yield from vars(self).values()

    def _read(self, name: str) -> None:
        engine = db.engines[ENGINES[name]]
        try:
            with (
                engine.connect().execution_options(read_only=True) as connection,
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
        waiting = {lane.lane: lane for lane in care.waiting(session)}
        for topic in sorted(waiting.keys() | _topics()[name]):
            lane = waiting.get(topic)
            age = (utc_now() - lane.oldest).total_seconds() if lane else 0.0
            self.pending.add_metric([name, topic], lane.events if lane else 0)
            self.oldest.add_metric([name, topic], max(0.0, age))
        self.set_aside.add_metric([name], care.set_aside_lately(session, LATELY))
        self.dead_letters.add_metric([name], dead_letters.count(session))


def _topics() -> dict[str, set[str]]:
    """The topics of each database's outbox: one with nothing pending is 0, and not missing."""
    topics = wiring.topics(current_app.config["SETTINGS"])
    return {"orders": set(topics.names) - {topics.stock}, "catalog": {topics.stock}}
