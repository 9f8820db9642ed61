"""`GET /metrics`: the numbers of all API processes, and those that are counted in the tables."""

from collections.abc import Iterator, Mapping
from functools import partial

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from orders_service import resources
from orders_service.api.identity.key_sets import FetchedKeys
from orders_service.api.problems import problem
from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.api.table_metrics import EventTables
from orders_service.metrics import exposition
from orders_service.metrics.family import ProcessFamily
from orders_service.processes import RELAYS, DatabaseName
from orders_service.settings import Settings

PATIENCE_SECONDS = 5.0  # Prometheus has a scrape time-out of 10 s.

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def show() -> ResponseReturnValue:
    """Metrics for Prometheus. All scrapers share one answer, because making it costs milliseconds."""
    made: SharedAnswer[bytes] = current_app.extensions["metrics"]
    text = made.answer()
    if not text:
        return problem("metrics-late", f"The databases did not answer within {PATIENCE_SECONDS:.0f} s.")
    return current_app.response_class(text, content_type=exposition.CONTENT_TYPE)


def shared_metrics(
    settings: Settings,
    engines: Mapping[DatabaseName, Engine],
    issuer_keys: FetchedKeys | None = None,
    numbers: Collector | None = None,
) -> SharedAnswer[bytes]:
    """The metrics as text, made at most once a second.

    *numbers* are those of all processes; None if this process is the only one.
    """
    topics: dict[str, set[str]] = {database: set() for database in engines}
    for relay in RELAYS:
        topics[relay.database].update(resources.sent_topics(settings, relay))
    collectors: list[Collector] = [
        *([numbers, ProcessFamily()] if numbers else exposition.ALONE),
        EventTables(engines, topics),
    ]
    if issuer_keys:
        collectors.append(KeyAge(issuer_keys))
    return SharedAnswer(partial(exposition.text, *collectors), late=bytes, patience=PATIENCE_SECONDS)


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
