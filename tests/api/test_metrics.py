"""`/metrics`: what waits and what was given up on, as numbers."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from orders_service.events.brokers.port import Outgoing
from rig.databases import Databases
from tests.flow_kit import Flow

Samples = dict[tuple[str, ...], float]
OF_TABLES = {
    *("orders_database_up", "orders_outbox_pending_events", "orders_outbox_pending_age_seconds"),
    *("orders_outbox_set_aside_events", "orders_dead_letters", "orders_pending_age_seconds"),
}
TOPIC, STOCK = "example-catalog-topic", "example-stock-topic"


def metrics(flow: Flow) -> Samples:
    """Each sample by its name and its labels' values."""
    response = flow.api.get("/metrics")
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }


def test_at_rest_everything_is_zero(flow: Flow) -> None:
    flow.place()
    flow.run()

    told = metrics(flow)

    assert {name: value for name, value in told.items() if name[0] in OF_TABLES} == {
        ("orders_database_up", "orders"): 1,
        ("orders_database_up", "catalog"): 1,
        ("orders_outbox_pending_events", "orders", TOPIC): 0,
        ("orders_outbox_pending_events", "catalog", STOCK): 0,
        ("orders_outbox_pending_age_seconds", "orders", TOPIC): 0,
        ("orders_outbox_pending_age_seconds", "catalog", STOCK): 0,
        ("orders_outbox_set_aside_events", "orders"): 0,
        ("orders_outbox_set_aside_events", "catalog"): 0,
        ("orders_dead_letters", "orders"): 0,
        ("orders_dead_letters", "catalog"): 0,
        ("orders_pending_age_seconds",): 0,
    }


def test_what_waits_is_told_with_its_age(flow: Flow) -> None:
    for _ in range(3):
        flow.place()
    flow.sql("orders", "UPDATE outbox SET created_at = '2026-01-01 00:00:00'")
    flow.sql("orders", "UPDATE orders SET created_at = '2026-01-01 00:00:00'")

    told = metrics(flow)

    assert told["orders_outbox_pending_events", "orders", TOPIC] == 3
    assert told["orders_outbox_pending_age_seconds", "orders", TOPIC] > 86_400
    assert told["orders_pending_age_seconds",] > 86_400


def test_what_was_given_up_on_is_told(flow: Flow) -> None:
    flow.place()
    flow.sql("orders", "UPDATE outbox SET lane = NULL, error = 'too large'")
    flow.send([Outgoing(TOPIC, b"k", b"nonsense")])
    flow.run()

    told = metrics(flow)

    assert told["orders_outbox_set_aside_events", "orders"] == 1
    assert told["orders_dead_letters", "catalog"] == 1


def test_of_a_database_that_is_away_only_that_is_told(flow: Flow, tmp_path: Path) -> None:
    flow.sql("catalog", "DROP TABLE outbox")

    told = metrics(flow)

    assert told["orders_database_up", "catalog"] == 0
    assert told["orders_database_up", "orders"] == 1
    assert ("orders_dead_letters", "catalog") not in told


def test_the_topic_of_a_sink_is_zero_too(databases: Databases, tmp_path: Path) -> None:
    flow = Flow(databases, tmp_path, ORDERS_SINK_TOPIC="orders")

    told = metrics(flow)
    flow.close()

    assert told["orders_outbox_pending_events", "orders", "orders"] == 0
