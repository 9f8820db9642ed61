"""A topic on a real Kafka, a group that reads it, and what other producers and administrators do to it."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import kafka
from kafka import TopicPartition

from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing, Reader, Record, Subscription, TopicSpec

SECONDS = 30.0


class Log:
    """A topic, of one partition unless told otherwise, and a group that reads it."""

    def __init__(self, servers: str, partitions: int = 1) -> None:
        self.servers = servers
        self.topic, self.group = f"topic-{uuid.uuid4().hex}", f"group-{uuid.uuid4().hex}"
        KafkaBroker(servers).create_topics([self.topic], TopicSpec(partitions=partitions))

    def write(self, *numbers: int) -> None:
        with closing(KafkaBroker(self.servers).producer()) as producer:
            deliveries = producer.send([Outgoing(self.topic, b"k", str(n).encode()) for n in numbers])
            assert producer.wait(deliveries, seconds=SECONDS)
            assert {delivery.error for delivery in deliveries} == {None}

    def read(self, count: int, *, skip_gap: bool = False) -> list[int]:
        """Read as the group, from where it had read to; and acknowledge it."""
        with closing(self.member(skip_gap=skip_gap)) as member:
            records = take(member, count)
            member.acknowledge(records)
        return [int(record.value or b"") for record in records]

    def member(self, *, skip_gap: bool = False, instance: str | None = None) -> Subscription:
        broker = KafkaBroker(self.servers, instance=instance, skip_gap=skip_gap)
        return broker.subscribe(self.group, [self.topic])

    def end_in(self, kind: str, *numbers: int, partition: int = 0) -> None:
        """Write in a transaction, and end it: *kind* is commit or abort."""
        with self.transaction(*numbers, partition=partition) as producer:
            getattr(producer, f"{kind}_transaction")()

    @contextmanager
    def transaction(self, *numbers: int, name: str = "", partition: int = 0) -> Iterator[Any]:
        """A producer that has written in a transaction, which is open for up to 15 minutes."""
        producer = kafka.KafkaProducer(
            bootstrap_servers=self.servers,
            transactional_id=name or f"producer-{uuid.uuid4().hex}",
            transaction_timeout_ms=900_000,
        )
        with closing(producer):
            producer.init_transactions()
            producer.begin_transaction()
            for number in numbers:
                producer.send(self.topic, key=b"k", value=str(number).encode(), partition=partition)
            producer.flush()
            yield producer

    def create_anew(self) -> None:
        """Delete the topic, and create it again."""
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            admin.delete_topics([self.topic])
            deadline = time.monotonic() + SECONDS
            while self.topic in admin.list_topics():
                assert time.monotonic() < deadline, "the topic is still there"
        KafkaBroker(self.servers).create_topics([self.topic], TopicSpec(partitions=1))

    def commit(self, offset: int, metadata: str = "") -> None:
        """Set the group's offset, as Kafka's tools do while it has no members."""
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            at = kafka.OffsetAndMetadata(offset, metadata, -1)
            admin.alter_group_offsets(self.group, {TopicPartition(self.topic, 0): at})

    def committed(self, partition: int = 0) -> Any:
        """The group's offset with its metadata."""
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            place = TopicPartition(self.topic, partition)
            return admin.list_group_offsets({self.group: [place]})[self.group][place]

    def trim(self, before: int) -> None:
        """Delete the oldest records, as Kafka does after their time."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.servers)
        admin.delete_records({TopicPartition(self.topic, 0): before})
        admin.close()


def take(source: Subscription | Reader, count: int) -> list[Record]:
    records: list[Record] = []
    deadline = time.monotonic() + SECONDS
    while len(records) < count:
        assert time.monotonic() < deadline, f"only {len(records)} of {count} records have come"
        records += source.poll(seconds=0.2)
    return records


def numbers(records: list[Record]) -> list[int]:
    return [int(record.value or b"") for record in records]
