"""What `doctor` tells of the topics: their settings, their copies, and transactions that hang."""

from dataclasses import replace

import pytest

from orders_service.commands.doctor import topics
from orders_service.commands.doctor.finding import Level
from orders_service.events.brokers.port import OpenTransaction
from tests.commands.doctor.kit import Log, assert_only, doctor, wrong
from tests.flow_kit import Flow

pytestmark = pytest.mark.usefixtures("own_port")


def test_topics_that_differ_from_the_settings_are_told(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "9")

    told = doctor(0)

    assert_only(told, "topics", "warning", "^example-catalog-topic: partitions is 3, not 9; ", "TOPIC_")


def test_partitions_that_were_added_are_well(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "2")

    assert wrong(doctor(0)) == []


def test_a_topic_that_is_missing_is_wrong(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SINK_TOPIC", "orders")

    told = doctor(1)

    assert told["topics"]["seen"] == "missing: orders"
    assert told["topics"]["do"] == "orders-service topics create"
    assert told["group catalog-stock"]["seen"] == "not checked: see topics"


@pytest.mark.real
def test_topics_that_kafka_has_otherwise_are_told(log: Log) -> None:
    log.configure(max_message_bytes="2000000")

    told = doctor(5)

    assert told["topics"]["seen"] == f"{log.topic}: max.message.bytes is 2000000, not 1048576"


@pytest.mark.real
def test_a_topic_that_keeps_longer_than_the_outbox_is_wrong(log: Log) -> None:
    log.configure(retention_ms=str(20 * 86_400_000))

    told = doctor(5)

    assert told["retention"]["level"] == "wrong"
    assert (
        told["retention"]["seen"]
        == f"{log.topic} keeps records for 20 days; the outbox keeps events for 14 days"
    )


@pytest.mark.real
def test_a_topic_that_keeps_for_ever_keeps_longer_than_the_outbox(log: Log) -> None:
    log.configure(retention_ms="-1")

    told = doctor(5)

    assert told["retention"]["level"] == "wrong"
    assert (
        told["retention"]["seen"]
        == f"{log.topic} keeps records for ever; the outbox keeps events for 14 days"
    )


@pytest.mark.real
def test_a_topic_that_cannot_take_a_record_is_wrong(log: Log) -> None:
    log.configure(min_insync_replicas="2")

    told = doctor(5)

    assert told["replication"]["level"] == "wrong"
    assert told["replication"]["seen"] == f"{log.topic}: 1 in sync, fewer than min.insync.replicas"


@pytest.mark.real
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_topic_that_is_compacted_is_wrong(log: Log, policy: str) -> None:
    log.configure(cleanup_policy=policy)

    told = doctor(5)

    assert told["topic settings"]["level"] == "wrong"
    assert f"{log.topic}: cleanup.policy is {policy}" in told["topic settings"]["seen"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("setting", "value", "level"),
    [
        ("max_message_bytes", "2000", "wrong"),
        ("min_insync_replicas", "2", "wrong"),
        ("retention_bytes", "1000000", "warning"),
    ],
)
def test_a_topic_that_may_drop_or_refuse_events_is_told(
    log: Log, setting: str, value: str, level: str
) -> None:
    log.configure(**{setting: value})

    told = doctor(5)

    assert told["topic settings"]["level"] == level
    assert f"{setting.replace('_', '.')} is {value}" in told["topic settings"]["seen"]


@pytest.mark.real
def test_topics_as_we_create_them_are_well(log: Log) -> None:
    told = doctor(5)

    assert told["topic settings"]["level"] == "fine"
    assert told["transactions"]["level"] == "fine"


def test_a_transaction_that_hangs_is_named_with_what_ends_it() -> None:
    hanging = OpenTransaction("t", 3, 17, 20, quiet_seconds=61, producer_id=1000, transactional_id="debezium")

    found = topics.transactions([hanging], "kafka:9092")

    assert found.level == Level.WRONG
    assert "t-3@17" in found.seen
    assert "debezium" in found.seen
    assert found.do.endswith("--bootstrap-server kafka:9092 abort --topic t --partition 3 --start-offset 17")
    assert topics.transactions([replace(hanging, quiet_seconds=1)], "kafka:9092").level == Level.FINE


@pytest.mark.real
def test_topics_that_are_missing_on_kafka_are_wrong(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TOPIC", "never-run_checks")

    assert doctor(5)["topics"]["seen"] == "missing: never-run_checks"
