"""A Kafka cluster: makes its clients, and describes its topics, groups and transactions."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import kafka
from kafka import TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from kafka.protocol.consumer import IsolationLevel

from orders_service.events.brokers.kafka.client import (
    ADMIN_SECONDS,
    PLAINTEXT,
    Servers,
    connect,
    end,
    ms,
    translated,
)
from orders_service.events.brokers.kafka.observing import KafkaObserver
from orders_service.events.brokers.kafka.positions import topic_in
from orders_service.events.brokers.kafka.producer import KafkaProducer
from orders_service.events.brokers.kafka.reading import KafkaPartitionReader, KafkaReader
from orders_service.events.brokers.kafka.security import Security
from orders_service.events.brokers.kafka.subscription import KafkaSubscription
from orders_service.events.brokers.port import (
    BrokerError,
    GroupDescription,
    OpenTransaction,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)

# The settings that our topics depend on, whatever the cluster's defaults are.
FIXED_SETTINGS = {
    # Compaction would keep only the newest order of each product.
    "cleanup.policy": "delete",
    # The library reads only gzip, so the broker decompresses the batches of any producer.
    "compression.type": "uncompressed",
    # By the producer's time, a wrong clock could get a record refused, or deleted too soon.
    "message.timestamp.type": "LogAppendTime",
    # A limit by size could delete records before a consumer has read them.
    "retention.bytes": "-1",
    # A replica that lags must not become the leader: acknowledged events would be lost.
    "unclean.leader.election.enable": "false",
}
SETTINGS = (
    *FIXED_SETTINGS,
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.insync.replicas",
    "retention.ms",
)


class KafkaBroker:
    """A Kafka cluster. Each client that it makes has connections of its own."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        security: Security = PLAINTEXT,
        max_request_bytes: int = 1_048_576 + 4096,
        instance: str | None = None,
        skip_gap: bool = False,
    ) -> None:
        """*instance* makes this process a static member of its groups: after a quick restart it keeps its
        partitions.

        With *skip_gap* a subscription continues where the log begins, even if unread events are gone.
        """
        self._servers = Servers(bootstrap_servers, security)
        self._max_request_bytes = max_request_bytes
        self._instance = instance
        self._skip_gap = skip_gap

    def producer(self) -> KafkaProducer:
        return KafkaProducer(self._servers, self._max_request_bytes)

    def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        return KafkaSubscription(
            self._servers, group, topics, instance=self._instance, skip_gap=self._skip_gap
        )

    def read(self, topics: Sequence[str], *, from_start: bool) -> KafkaReader:
        return KafkaReader(self._servers, topics, from_start=from_start)

    def observer(self) -> KafkaObserver:
        return KafkaObserver(self._servers)

    def read_since(self, topic: str, key: bytes, *, since: int) -> KafkaPartitionReader:
        return KafkaPartitionReader(self._servers, topic, key, since=since)

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        wanted = {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": FIXED_SETTINGS
            | {
                "max.message.bytes": str(spec.max_message_bytes),
                "min.insync.replicas": str(spec.min_insync_replicas),
                "retention.ms": str(spec.retention_days * 86_400_000),
            },
        }
        created = []
        with self._admin() as admin:
            for topic in admin.create_topics(dict.fromkeys(names, wanted), raise_errors=False)["topics"]:
                if topic["error_code"] == 0:
                    created.append(topic["name"])
                elif topic["error_code"] != TopicAlreadyExistsError.errno:
                    reason = topic["error_message"] or for_code(topic["error_code"]).__name__
                    raise BrokerError(f"topic {topic['name']} could not be created: {reason}")
            admin.wait_for_topics(names, timeout_ms=ms(ADMIN_SECONDS))
        return created

    def describe_topics(self) -> list[TopicDescription]:
        with self._admin() as admin:
            topics = {t["name"]: t["partitions"] for t in admin.describe_topics() if not t["is_internal"]}
            asked = [ConfigResource("TOPIC", name, configs=SETTINGS) for name in topics]
            settings = admin.describe_configs(asked, config_filter="all")["topic"] if asked else {}
        return [
            TopicDescription(
                name,
                partitions=len(partitions),
                replication=min(len(partition["replica_nodes"]) for partition in partitions),
                in_sync=min(len(partition["isr_nodes"]) for partition in partitions),
                settings={key: setting["value"] for key, setting in settings[name].items()},
            )
            for name, partitions in sorted(topics.items())
        ]

    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        with self._admin() as admin:
            described = _described(admin, topics)
            places = _partitions(described)
            # Before the ends: an offset that is committed later would seem to be of an older log.
            committed = admin.list_group_offsets({group: places})[group]
            first = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            last = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            stable = _last_stable(admin, places)
            members = admin.describe_groups([group])[group]["members"]
        begin = {place: first[place].offset for place in places}
        # An offset of -1 means that the group has committed nothing there. An offset past the end, or of a
        # topic that was deleted, belongs to an older log. In all these cases the group starts at the
        # beginning of the log.
        known = {
            place: 0 <= committed[place].offset <= last[place].offset
            and topic_in(committed[place]) in ("", described[place.topic]["topic_id"])
            for place in places
        }
        position = {place: committed[place].offset if known[place] else begin[place] for place in places}
        return GroupDescription(
            group,
            members=len(members),
            lag=sum(max(0, stable[place] - max(position[place], begin[place])) for place in places),
            lost=sum(max(0, begin[place] - position[place]) for place in places),
        )

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        with self._admin() as admin:
            places = _partitions(_described(admin, topics))
            last = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            stable = _last_stable(admin, places)
            stopped = [place for place in places if stable[place] < last[place].offset]
            producers = admin.describe_producers(stopped) if stopped else {}
            found = [
                (place, producer)
                for place, state in producers.items()
                for producer in state.active_producers
                if producer.current_transaction_start_offset >= 0
            ]
            names = _transactional_ids(admin, {producer.producer_id for _, producer in found})
        return [
            OpenTransaction(
                place.topic,
                place.partition,
                producer.current_transaction_start_offset,
                waiting=last[place].offset - producer.current_transaction_start_offset,
                quiet_seconds=max(0.0, time.time() - producer.last_timestamp / 1000),
                producer_id=producer.producer_id,
                transactional_id=names.get(producer.producer_id),
            )
            for place, producer in found
        ]

    def offset_retention_days(self) -> float | None:
        """How many days the cluster keeps the offsets of a group without members; None if not known."""
        with self._admin() as admin:
            broker = admin.describe_cluster()["brokers"][0]["broker_id"]
            asked = ConfigResource("BROKER", str(broker), configs=["offsets.retention.minutes"])
            with suppress(KafkaError, LookupError):
                (answer,) = admin.describe_configs([asked], config_filter="all")["broker"].values()
                return int(answer["offsets.retention.minutes"]["value"]) / (24 * 60)
        return None

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = connect(kafka.KafkaAdminClient, self._servers, request_timeout_ms=ms(ADMIN_SECONDS))
        try:
            with translated():
                yield admin
        finally:
            end(admin.close)


def _described(admin: Any, topics: Sequence[str]) -> dict[str, Any]:
    """The cluster's descriptions of *topics*, by name; raises `TopicMissing`."""
    every = {topic["name"]: topic for topic in admin.describe_topics()}
    if missing := [topic for topic in topics if topic not in every]:
        raise TopicMissing(missing[0])
    return {topic: every[topic] for topic in topics}


def _partitions(described: dict[str, Any]) -> list[TopicPartition]:
    return [
        TopicPartition(name, partition["partition_index"])
        for name, topic in described.items()
        for partition in topic["partitions"]
    ]


def _last_stable(admin: Any, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Each partition's last stable offset: where its first open transaction begins, else its end."""
    latest = dict.fromkeys(places, OffsetSpec.LATEST)
    found = admin.list_partition_offsets(latest, isolation_level=IsolationLevel.READ_COMMITTED)
    return {place: offset.offset for place, offset in found.items()}


def _transactional_ids(admin: Any, producer_ids: set[int]) -> dict[int, str]:
    """The transactional ids of the producers; empty if the cluster does not list them for us."""
    if not producer_ids:
        return {}
    with suppress(KafkaError):
        listed = admin.list_transactions(producer_id_filters=sorted(producer_ids))
        return {one.producer_id: one.transactional_id for broker in listed.values() for one in broker}
    return {}
