"""Reads a history: every row of the service's databases, and every record of its topics."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import kafka
from kafka.errors import KafkaError
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from orders_service.events.brokers.port import Record
from orders_service.events.tables import OutboxRow
from rig import waiting
from rig.customers import Customer
from rig.databases import Databases
from rig.deployment import Deployment
from rig.promises import History, stock_adds_up, violations
from rig.stored import fact_of, read_catalog, read_tables

T = TypeVar("T")


def read(databases: Databases, servers: str, topics: Sequence[str], **given: Any) -> History:
    """Read all tables and all records of *topics*. What is *given* are the other fields of the `History`."""
    history = History(**given)
    with Session(databases.orders) as orders, Session(databases.catalog) as catalog:
        read_tables(history, orders, catalog)
    # The sessions are closed by now: MariaDB closes a connection that idles in a transaction.
    spoilt = {(letter.topic, letter.partition, letter.offset) for letter in history.dead}
    facts = (fact_of(record) for record in records(servers, topics))
    history.facts = [fact for fact in facts if fact and fact.place not in spoilt]
    return history


def await_promises(deployment: Deployment, told: Sequence[Customer], *, seconds: float = 30) -> History:
    """Wait until everything that the deployment wrote keeps every promise; fail with the broken ones."""
    settings, deadline = deployment.settings, waiting.Deadline(seconds)
    topics, servers = (settings.catalog_topic, settings.stock_topic), settings.kafka_bootstrap_servers
    while broken := violations(history := read(deployment.databases, servers, topics, told=told)):
        assert not deadline.over, f"after {deadline}:\n" + "\n".join(broken)
        time.sleep(0.2)
    return history


def assert_stock_adds_up(catalog: Session) -> None:
    """Per product: stock is not negative, and stock + Σ reserved = Σ supplied."""
    history = History()
    read_catalog(history, catalog)
    assert list(stock_adds_up(history)) == []


def pending(engine: Engine) -> int:
    """How many events of an outbox have not been sent."""
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(OutboxRow.lane.is_not(None))) or 0


def records(servers: str, topics: Sequence[str]) -> list[Record]:
    """Every record of every partition of *topics* that is there now, in the order of each partition."""
    return until_answered(lambda: _records(servers, topics))


def until_answered(question: Callable[[], T], *, seconds: float = 30) -> T:
    """Ask Kafka until it answers: for some seconds a client also asks a broker that was just killed."""
    deadline = waiting.Deadline(seconds)
    while True:
        try:
            return question()
        except KafkaError:
            if deadline.over:
                raise
            time.sleep(0.2)


def _records(servers: str, topics: Sequence[str]) -> list[Record]:
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        places = [
            kafka.TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic))
        ]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[Record] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for batch in consumer.poll(timeout_ms=1000, max_records=5000).values():
                found += [
                    Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
                    for r in batch
                ]
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.topic, record.partition, record.offset))
