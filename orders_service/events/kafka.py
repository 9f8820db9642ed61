"""(5) The real broker, through kafka-python. The one file that knows that library."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import kafka
import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    MessageSizeTooLargeError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    RetriableError,
    TopicAlreadyExistsError,
    for_code,
)
from kafka.net.compat import KafkaNetClient
from kafka.structs import MemberState

from orders_service.events.broker import (
    BrokerError,
    Delivery,
    GroupDescription,
    Outgoing,
    Record,
    RecordRefused,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)
from orders_service.events.errors import EventsGone, InstanceTaken

PROBE_SECONDS = 1.0  # For a server to take a connection.
TLS_SECONDS = 5.0  # For the same, until each knows the other.
BOOTSTRAP_SECONDS = 2.0  # For a new client to learn what the cluster is.
RECONNECT_SECONDS = 1.0  # At most, between two attempts of a client at a server.
METADATA_SECONDS = 1.0  # For a producer to learn a topic's partitions.
METADATA_AGE_SECONDS = 30.0  # Until a client learns that a topic has more of them.
REQUEST_SECONDS = 5.0  # For the answer to a request.
DELIVERY_SECONDS = 8.0  # For a record, with all its retries.
GIVE_UP_SECONDS = 10.0  # The same where the library forgets it: without a producer id it lets none expire.
COMMIT_SECONDS = 5.0
SESSION_SECONDS = 15.0  # Until the partitions of a member that was killed go to others.
HEARTBEAT_SECONDS = 1.0  # Until a member learns that another joins or leaves.
JOIN_SECONDS = 5.0  # How long a poll may last while the group is being joined.
JOIN_POLL_SECONDS = 1.0  # Shorter ones have left the library waiting for ever.
STALL_SECONDS = 60.0  # If it waits for ever all the same. Longer than a session: nobody else is waited for.
ADMIN_SECONDS = 15.0
CLOSE_SECONDS = 3.0

BATCH = 500
BATCH_BYTES = 65_536
SETTINGS = ("max.message.bytes", "min.insync.replicas", "retention.ms")

# What blames the record. Anything else is infrastructure: time-outs, rights, replicas, topics.
RECORD_ERRORS = (InvalidRecordError, MessageSizeTooLargeError, RecordListTooLargeError)
# A partition that was never read by the group; one whose log no longer has what comes next.
PLACE_ERRORS = (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError)

log = structlog.get_logger()


@dataclass(frozen=True)
class Security:
    """How Kafka's servers and a client know each other. Files are in PEM."""

    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def __str__(self) -> str:
        return (
            f"{self.protocol} with {self.mechanism} as {self.username}" if self._has_user else self.protocol
        )

    def tls(self) -> ssl.SSLContext | None:
        """What a connection is wrapped in; None if in nothing."""
        if not self.protocol.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def user(self) -> dict[str, str]:
        """Who the client says that it is, in the library's words."""
        if not self._has_user:
            return {}
        return {
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    @property
    def _has_user(self) -> bool:
        return self.protocol.startswith("SASL")


@dataclass(frozen=True)
class Servers:
    """A cluster's servers, host:port,…, and how a client gets in."""

    where: str
    security: Security


class KafkaBroker:
    """A Kafka cluster. Whoever it hands out has a connection of its own, made with the first use."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        security: Security = Security(),
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

    def producer(self) -> "KafkaProducer":
        return KafkaProducer(self._servers, self._max_request_bytes)

    def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
        return KafkaSubscription(
            self._servers, group, topics, instance=self._instance, skip_gap=self._skip_gap
        )

    def read(self, topics: Sequence[str], *, from_start: bool) -> "KafkaReader":
        return KafkaReader(self._servers, topics, from_start=from_start)

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        wanted = {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": {
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
            admin.wait_for_topics(names, timeout_ms=_ms(ADMIN_SECONDS))
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
            end = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            committed = admin.list_group_offsets({group: places})[group]
            members = admin.describe_groups([group])[group]["members"]
        begin = {place: first[place].offset for place in places}
        # -1: the group has acknowledged nothing there, and will begin with what there is.
        place_of = {p: begin[p] if committed[p].offset < 0 else committed[p].offset for p in places}
        return GroupDescription(
            group,
            members=len(members),
            lag=sum(end[place].offset - max(place_of[place], begin[place]) for place in places),
            lost=sum(max(0, begin[place] - place_of[place]) for place in places),
        )

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = _connect(kafka.KafkaAdminClient, self._servers, request_timeout_ms=_ms(ADMIN_SECONDS))
        try:
            with _translated():
                yield admin
        finally:
            _end(admin.close)


@dataclass
class Sent(Delivery):
    """A delivery on its way. Its outcome comes with *future*, by the monotonic time *until* or never."""

    topic: str = ""
    future: Any = None
    until: float = 0.0
    alone: bool = False


class KafkaProducer:
    """An idempotent producer. Its client is replaced after any failure in which that had a part.

    For the client such a failure can be the end: it then fails all other records, with the first one's error.
    """

    def __init__(self, servers: Servers, max_request_bytes: int) -> None:
        self._servers = servers
        self._max_request_bytes = max_request_bytes
        self._client: Any = None
        self._suspect: set[str] = set()

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        topics = {record.topic for record in records}
        if self._suspect.isdisjoint(topics):
            return self._hand_over(records)
        # The broker refused a record, and the client blamed all that were on their way. So one by one.
        deliveries: list[Delivery] = []
        for record in records:
            deliveries += self._hand_over([record], alone=True)
            self.wait(deliveries[-1:], seconds=GIVE_UP_SECONDS)
            if deliveries[-1].error and not deliveries[-1].for_good:
                return deliveries + [Delivery(error=deliveries[-1].error) for _ in records[len(deliveries) :]]
        self._suspect -= topics
        return deliveries

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        for delivery in deliveries:
            if isinstance(delivery, Sent) and delivery.open:
                self._settle(delivery, deadline)
        if any(delivery.open for delivery in deliveries):
            return False
        if any(isinstance(delivery, Sent) and delivery.error for delivery in deliveries):
            self.close()
        return True

    def close(self) -> None:
        client, self._client = self._client, None
        if client:
            _end(lambda: _close_producer(client))

    def _hand_over(self, records: Sequence[Outgoing], *, alone: bool = False) -> list[Delivery]:
        deliveries: list[Delivery] = []
        try:
            client = self._knowing(records[0].topic) if records else None
            for record in records:
                deliveries.append(_send(client, record, alone=alone))
        except BrokerError as error:
            deliveries += [Delivery(error=error) for _ in records[len(deliveries) :]]
        return deliveries

    def _knowing(self, topic: str) -> Any:
        """The client, once it knows the partitions of *topic*."""
        if self._client is None:
            self._client = _connect(
                kafka.KafkaProducer,
                self._servers,
                acks="all",
                enable_idempotence=True,
                batch_size=BATCH_BYTES,
                max_request_size=self._max_request_bytes,
                max_block_ms=_ms(METADATA_SECONDS),
                request_timeout_ms=_ms(REQUEST_SECONDS),
                delivery_timeout_ms=_ms(DELIVERY_SECONDS),
            )
        try:
            self._client.partitions_for(topic)
        except (KafkaError, ValueError) as error:
            silence = self._client.metrics()["producer-metrics"]["metadata-age"]
            self.close()  # It would ask for this topic ten times a second, for as long as it lives.
            if isinstance(error, KafkaTimeoutError) and silence < METADATA_SECONDS:
                raise TopicMissing(topic) from error
            raise BrokerError(str(error)) from error
        return self._client

    def _settle(self, sent: Sent, deadline: float) -> None:
        patience = min(deadline, sent.until) - time.monotonic()
        with suppress(Exception):  # Whatever it is, it is the record's outcome, and read below.
            sent.future.get(timeout=max(0.0, patience))
        if sent.future.succeeded():
            sent.acknowledged = True
        elif sent.future.failed():
            refused = isinstance(sent.future.exception, RECORD_ERRORS)
            sent.for_good = refused and sent.alone
            sent.error = (RecordRefused if sent.for_good else BrokerError)(str(sent.future.exception))
            if refused and not sent.alone:
                self._suspect.add(sent.topic)
        elif sent.until <= deadline:
            sent.error = BrokerError(f"no answer within {GIVE_UP_SECONDS} s")


class KafkaSubscription:
    """A member of a consumer group. It joins with the first poll, and again after an error that stays."""

    def __init__(
        self, servers: Servers, group: str, topics: Sequence[str], *, instance: str | None, skip_gap: bool
    ) -> None:
        self._servers = servers
        self._group = group
        self._topics = topics
        self._instance = instance
        self._skip_gap = skip_gap
        self._consumer: Any = None
        self._outside_since: float | None = None

    def poll(self, *, seconds: float) -> list[Record]:
        if self._consumer is None:
            self._consumer = self._join()
            self._outside_since = time.monotonic()
        # The library throws a join away that is completed between two polls, and begins it again, which makes
        # the others join again, too. So while the group is being joined, hardly any time is left between two.
        patience = time.monotonic() + JOIN_SECONDS
        records = self._poll(seconds if self._outside_since is None else max(seconds, JOIN_POLL_SECONDS))
        while not records and self._outside_since and time.monotonic() < patience:
            records = self._poll(JOIN_POLL_SECONDS)
        return records

    def acknowledge(self, records: Sequence[Record]) -> None:
        ends: dict[TopicPartition, OffsetAndMetadata] = {}
        for record in sorted(records, key=lambda record: record.offset):
            ends[_place(record)] = OffsetAndMetadata(record.offset + 1, "", -1)
        try:
            if self._consumer is None:
                raise CommitFailedError
            self._consumer.commit(ends, timeout_ms=_ms(COMMIT_SECONDS))
        except KafkaError as error:
            log.warning("offsets not committed, records may come again", group=self._group, error=str(error))

    def rewind(self, records: Sequence[Record]) -> None:
        ours = self._consumer.assignment() if self._consumer else set()
        for record in sorted(records, key=lambda record: record.offset, reverse=True):
            if _place(record) in ours:
                self._consumer.seek(_place(record), record.offset)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer:
            _end(lambda: consumer.close(autocommit=False, timeout_ms=_ms(CLOSE_SECONDS)))

    def _join(self) -> Any:
        consumer = _consumer(
            self._servers,
            group_id=self._group,
            group_instance_id=self._instance,
            auto_offset_reset="none",  # `_find_place` decides.
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=_ms(SESSION_SECONDS),
            heartbeat_interval_ms=_ms(HEARTBEAT_SECONDS),
        )
        try:
            _places(consumer, self._topics)
            consumer.subscribe(topics=list(self._topics))
        except BaseException:
            _end(consumer.close)
            raise
        return consumer

    def _poll(self, seconds: float) -> list[Record]:
        try:
            records = _poll(self._consumer, seconds)
            inside = self._consumer.group_metadata().state == MemberState.STABLE
            if inside and not self._consumer.assignment():
                _places(self._consumer, self._topics)  # Has a topic been deleted?
        except BaseException as error:
            if isinstance(error.__cause__, PLACE_ERRORS):
                self._find_place(error.__cause__)
                return []
            if not isinstance(error.__cause__, RetriableError):
                self.close()  # The library remembers some errors for as long as a client lives.
            if isinstance(error.__cause__, FencedInstanceIdError):
                raise InstanceTaken(self._group, self._instance or "") from error
            raise
        if inside:
            self._outside_since = None
        elif self._outside_since is None:
            self._outside_since = time.monotonic()
        elif time.monotonic() - self._outside_since > STALL_SECONDS:
            self.close()
            raise BrokerError(f"group {self._group} could not be joined in {STALL_SECONDS:.0f} s")
        return records

    def _find_place(self, lost: KafkaError) -> None:
        """Read on from where a partition begins: it is new to the group, or its log is not what it was.

        Raises `EventsGone` if records that the group had not read were deleted.
        """
        positions: Any = lost.divergent_offsets if isinstance(lost, LogTruncationError) else lost.args[0]
        with _translated():
            begins = self._consumer.beginning_offsets(list(positions), timeout_ms=_ms(REQUEST_SECONDS))
        for place, begin in begins.items():
            where = {"group": self._group, "topic": place.topic, "partition": place.partition}
            if isinstance(lost, OffsetOutOfRangeError) and positions[place] < begin:
                if not self._skip_gap:
                    raise EventsGone(place.topic, place.partition, self._group, positions[place], begin)
                with _translated():
                    end = {place: OffsetAndMetadata(begin, "", -1)}
                    self._consumer.commit(end, timeout_ms=_ms(COMMIT_SECONDS))
                log.warning("records skipped that are gone", **where, count=begin - positions[place])
            elif not isinstance(lost, NoOffsetForPartitionError):
                log.warning("not the log that was read before, read from its beginning", **where)
            if place in self._consumer.assignment():
                self._consumer.seek(place, begin)


class KafkaReader:
    """Reads every partition from where it begins or ends at this moment."""

    def __init__(self, servers: Servers, topics: Sequence[str], *, from_start: bool) -> None:
        self._consumer = _consumer(servers, group_id=None, auto_offset_reset="earliest")
        try:
            with _translated():
                places = _places(self._consumer, topics)
                find = self._consumer.beginning_offsets if from_start else self._consumer.end_offsets
                self._consumer.assign(places)
                for place, offset in find(places, timeout_ms=_ms(REQUEST_SECONDS)).items():
                    self._consumer.seek(place, offset)
        except BaseException:
            self.close()
            raise

    def poll(self, *, seconds: float) -> list[Record]:
        return _poll(self._consumer, seconds)

    def close(self) -> None:
        _end(lambda: self._consumer.close(timeout_ms=_ms(CLOSE_SECONDS)))


def _connect(kind: Callable[..., Any], servers: Servers, **settings: object) -> Any:
    """A client of that *kind*; of one that could not be made, nothing stays."""
    security = servers.security
    try:
        tls = security.tls()
    except OSError as error:
        raise BrokerError(f"certificates for Kafka: {error}") from error
    _probe(servers.where, tls)
    parts: list[KafkaNetClient] = []

    def network(**configuration: object) -> KafkaNetClient:
        parts.append(KafkaNetClient(**configuration))
        return parts[0]

    try:
        with _translated():
            return kind(
                bootstrap_servers=servers.where,
                security_protocol=security.protocol,
                ssl_context=tls,
                **security.user(),
                bootstrap_timeout_ms=_ms(BOOTSTRAP_SECONDS),
                reconnect_backoff_max_ms=_ms(RECONNECT_SECONDS),
                metadata_max_age_ms=_ms(METADATA_AGE_SECONDS),
                kafka_client=network,
                **settings,
            )
    except BaseException as error:
        for part in parts:
            _end(part.close)
        if isinstance(error.__cause__, KafkaTimeoutError):
            raise BrokerError(_unanswered(servers)) from error
        raise


def _unanswered(servers: Servers) -> str:
    """Why a server may take connections and say nothing; what it does say, the library may lose."""
    user = "does not know this user and password" if servers.security.user() else "wants to know who we are"
    way = f"{servers.where} over {servers.security}"
    return f"no answer from Kafka at {way}: it hangs, {user}, or speaks otherwise"


def _probe(servers: str, tls: ssl.SSLContext | None) -> None:
    """Fail at once if nobody listens: a client would try again and again, for as long as it is let."""
    problems = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            _try(host.strip("[]"), int(port), tls)
        except ssl.SSLCertVerificationError as error:
            problems.append(f"{server}: its certificate is not trusted: {error.verify_message}")
        except OSError as error:
            problems.append(f"{server.strip()}: {error}")
        else:
            return
    raise BrokerError(f"no connection to Kafka: {'; '.join(problems)}")


def _try(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        if tls:  # The library would wait for ever for the other side's part.
            connection.settimeout(TLS_SECONDS)
            tls.wrap_socket(connection, server_hostname=host).close()


def _consumer(servers: Servers, **settings: object) -> Any:
    return _connect(
        kafka.KafkaConsumer,
        servers,
        enable_auto_commit=False,
        max_poll_records=BATCH,
        request_timeout_ms=_ms(REQUEST_SECONDS),
        **settings,
    )


def _places(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of *topics*, all of which must exist."""
    places = []
    with _translated():
        for topic in topics:
            partitions = consumer.partitions_for_topic(topic)
            if not partitions:
                raise TopicMissing(topic)
            places += [TopicPartition(topic, partition) for partition in sorted(partitions)]
    return places


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _poll(consumer: Any, seconds: float) -> list[Record]:
    with _translated():
        batches = consumer.poll(timeout_ms=_ms(seconds))
    return [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for batch in batches.values()
        for r in batch
    ]


def _send(client: Any, record: Outgoing, *, alone: bool) -> Delivery:
    if record.key is None and record.value is None:
        return Delivery(error=RecordRefused("neither key nor value"), for_good=True)
    try:
        future = client.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
    except (MessageSizeTooLargeError, TypeError) as error:
        return Delivery(error=RecordRefused(str(error)), for_good=True)
    except (KafkaError, ValueError) as error:
        raise BrokerError(str(error)) from error
    if future.failed():
        raise BrokerError(str(future.exception))
    return Sent(topic=record.topic, future=future, until=time.monotonic() + GIVE_UP_SECONDS, alone=alone)


def _close_producer(client: Any) -> None:
    """Close it whatever is on its way. Its own `close` gives up then, and leaves its thread behind."""
    client._sender.force_close()
    client._sender.join()
    client.close(timeout=CLOSE_SECONDS)


def _end(close: Callable[[], object]) -> None:
    """Close a client, and wait for it only so long: none keeps to a time, and its errors help nobody."""

    def quietly() -> None:
        with suppress(Exception):
            close()

    closing = threading.Thread(target=quietly, name="kafka-close", daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise BrokerError(str(error)) from error


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
