"""Builds the broker client of a process from its settings. kafka-python is loaded only if it is used."""

from pathlib import Path
from pkgutil import resolve_name

from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.kafka.security import Security
from orders_service.events.brokers.port import Broker, BrokerError, TopicSpec
from orders_service.settings import Settings

KAFKA = "orders_service.events.brokers.kafka.cluster:KafkaBroker"
BROKER_FILE = "broker.db"
REQUEST_BYTES = 4096  # Space in a request beside its largest batch. The limit for a batch is the topic's.


def broker(settings: Settings, *, skip_gap: bool = False, create: bool = False) -> Broker:
    """The broker that the setting BROKER names. Kafka is connected at the first use.

    *skip_gap*: see `KafkaBroker`. With *create*, a missing file of the embedded broker is created; otherwise
    `BrokerError` is raised.
    """
    if settings.broker == "kafka":
        made: Broker = resolve_name(KAFKA)(
            settings.kafka_bootstrap_servers,
            security=_security(settings),
            max_request_bytes=settings.topic_max_message_bytes + REQUEST_BYTES,
            instance=settings.consumer_instance or None,
            skip_gap=skip_gap,
        )
        return made
    path = Path(settings.state_dir, BROKER_FILE)
    if not create and not path.exists():
        raise BrokerError(
            f"the embedded log {path} does not exist. Create it with: orders-service topics create"
        )
    return EmbeddedBroker(path)


def topic_spec(settings: Settings) -> TopicSpec:
    """The settings for new topics: partitions, replication, retention and sizes."""
    return TopicSpec(
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        min_insync_replicas=settings.topic_min_insync_replicas,
        retention_days=settings.topic_retention_days,
        max_message_bytes=settings.topic_max_message_bytes,
    )


def _security(settings: Settings) -> Security:
    return Security(
        protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
    )
