"""The cluster: whom it hands out, and its topics and groups."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import kafka
from kafka import TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.errors import TopicAlreadyExistsError, for_code

from orders_service.events.broker import (
    BrokerError,
    GroupDescription,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)
from orders_service.events.kafka.client import (
    ADMIN_SECONDS,
    PLAINTEXT,
    Security,
    Servers,
    connect,
    end,
    ms,
    translated,
)
from orders_service.events.kafka.producer import KafkaProducer
from orders_service.events.kafka.reading import KafkaReader, KafkaSubscription

SETTINGS = ("compression.type", "max.message.bytes", "min.insync.replicas", "retention.ms")


class KafkaBroker:
    """A Kafka cluster. Whoever it hands out has a connection of its own, made with the first use."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        security: Security = PLAINTEXT,
        max_request_bytes: int = 1_048_576 + 4096,
        instance: str | None = None,
        skip_gap: bool = False,
    ) -> None:
        """*instance* names this process in its groups for good: restarted soon, it has its partitions still.

        With *skip_gap* a subscription goes on where the log begins, though events before that are gone.
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

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        wanted = {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": {
                "max.message.bytes": str(spec.max_message_bytes),
                "min.insync.replicas": str(spec.min_insync_replicas),
                "retention.ms": str(spec.retention_days * 86_400_000),
                # The broker unpacks what any producer sends: the library reads only gzip.
                "compression.type": "uncompressed",
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
            partitions = {t["name"]: t["partitions"] for t in admin.describe_topics()}
            if missing := [topic for topic in topics if topic not in partitions]:
                raise TopicMissing(missing[0])
            places = [TopicPartition(t, p["partition_index"]) for t in topics for p in partitions[t]]
            first = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            last = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            committed = admin.list_group_offsets({group: places})[group]
            members = admin.describe_groups([group])[group]["members"]
        begin = {place: first[place].offset for place in places}
        # -1: the group has acknowledged nothing there. Beyond the end: that was in another log. In both cases
        # it will begin with what there is.
        known = {place: 0 <= committed[place].offset <= last[place].offset for place in places}
        place_of = {place: committed[place].offset if known[place] else begin[place] for place in places}
        return GroupDescription(
            group,
            members=len(members),
            lag=sum(last[place].offset - max(place_of[place], begin[place]) for place in places),
            lost=sum(max(0, begin[place] - place_of[place]) for place in places),
        )

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = connect(kafka.KafkaAdminClient, self._servers, request_timeout_ms=ms(ADMIN_SECONDS))
        try:
            with translated():
                yield admin
        finally:
            end(admin.close)
