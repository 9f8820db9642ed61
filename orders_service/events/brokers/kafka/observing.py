"""The observer of a Kafka cluster: its topics' offsets, its groups, and its newest records."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

import kafka
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from orders_service.events.brokers.kafka import reading
from orders_service.events.brokers.kafka.client import (
    CLOSE_SECONDS,
    REQUEST_SECONDS,
    Servers,
    connect,
    end,
    ms,
    translated,
)
from orders_service.events.brokers.observer import GroupState, Member, PartitionState, Place
from orders_service.events.brokers.port import Record, TopicMissing

LOOK_SECONDS = 3.0  # For the newest records.
LOOK_BYTES = 16_777_216

T = TypeVar("T")


class KafkaObserver:
    """Keeps an admin client, which is replaced after an error: the library remembers some of them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._client: Any = None

    def partitions(self, topics: Sequence[str]) -> dict[Place, PartitionState]:
        return self._ask(lambda admin: _partitions(admin, topics))

    def groups(self, topics: Mapping[str, Sequence[str]]) -> dict[str, GroupState]:
        return self._ask(lambda admin: _groups(admin, topics))

    def newest(self, topic: str, most: int) -> list[Record]:
        states = self.partitions([topic])
        begin = {place: max(state.first, state.end - most) for place, state in states.items()}
        left = {place: state.end for place, state in states.items() if begin[place] < state.end}
        consumer = reading.consumer(self._servers, group_id=None, auto_offset_reset="earliest")
        with closing(_Closing(consumer)):
            consumer.assign([TopicPartition(*place) for place in left])
            for place in left:
                consumer.seek(TopicPartition(*place), begin[place])
            records = _read_until(consumer, left)
        return sorted(records, key=lambda each: (each.timestamp, each.offset), reverse=True)[:most]

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            end(client.close)

    def _ask(self, question: Callable[[Any], T]) -> T:
        if self._client is None:
            self._client = connect(
                kafka.KafkaAdminClient, self._servers, request_timeout_ms=ms(REQUEST_SECONDS)
            )
        try:
            with translated():
                return question(self._client)
        except TopicMissing:
            raise
        except BaseException:
            self.close()
            raise


class _Closing:
    """Closes a consumer within `CLOSE_SECONDS`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def close(self) -> None:
        end(lambda: self._consumer.close(timeout_ms=ms(CLOSE_SECONDS)))


def _partitions(admin: Any, topics: Sequence[str]) -> dict[Place, PartitionState]:
    described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    for topic in topics:
        if not described.get(topic, {}).get("partitions"):
            raise TopicMissing(topic)
    states = {
        TopicPartition(topic, partition["partition_index"]): partition
        for topic in topics
        for partition in described[topic]["partitions"]
    }
    first = admin.list_partition_offsets(dict.fromkeys(states, OffsetSpec.EARLIEST))
    last = admin.list_partition_offsets(
        dict.fromkeys(states, OffsetSpec.LATEST), isolation_level=IsolationLevel.READ_COMMITTED
    )
    return {
        (place.topic, place.partition): PartitionState(
            first=first[place].offset,
            end=last[place].offset,
            leader=state["leader_id"],
            replication=len(state["replica_nodes"]),
            in_sync=len(state["isr_nodes"]),
        )
        for place, state in states.items()
    }


def _groups(admin: Any, topics: Mapping[str, Sequence[str]]) -> dict[str, GroupState]:
    # The offsets of all partitions that a group has committed, in whatever topics.
    offsets = admin.list_group_offsets(dict.fromkeys(topics))
    described = admin.describe_groups(list(topics))
    return {
        group: GroupState(
            members=[_member(member) for member in described[group]["members"]],
            committed={
                (place.topic, place.partition): committed.offset
                for place, committed in offsets[group].items()
                if place.topic in names and committed.offset >= 0
            },
        )
        for group, names in topics.items()
    }


def _member(member: Mapping[str, Any]) -> Member:
    assignment = member["member_assignment"]
    places = [
        (assigned["topic"], partition)
        for assigned in (assignment["assigned_partitions"] if assignment else ())
        for partition in assigned["partitions"]
    ]
    host = str(member["client_host"]).lstrip("/")
    return Member(member.get("group_instance_id") or host, places)


def _read_until(consumer: Any, left: dict[Place, int]) -> list[Record]:
    """Read up to the offsets *left*, for `LOOK_SECONDS` and about `LOOK_BYTES` at most.

    The offsets decide, not the number of records: aborted transactions leave gaps.
    """
    records: list[Record] = []
    size, deadline = 0, time.monotonic() + LOOK_SECONDS
    while left and time.monotonic() < deadline and size < LOOK_BYTES:
        found = reading.poll(consumer, 0.1)
        size += sum(len(record.key or b"") + len(record.value or b"") for record in found)
        records += found
        with translated():
            left = {
                place: behind
                for place, behind in left.items()
                if consumer.position(TopicPartition(*place), timeout_ms=ms(REQUEST_SECONDS)) < behind
            }
    return records
