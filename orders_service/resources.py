"""Builds what a process needs from its settings: the URLs of its databases, its topics, its outbox."""

import os
import secrets
import socket

from orders_service import tracing
from orders_service.contract.topics import Topics
from orders_service.events.outbox import Outbox
from orders_service.processes import DATABASES, DEBEZIUM_DATABASE, Consumer, DatabaseName, Relay, SettingName
from orders_service.settings import Settings


def url(settings: Settings, database: DatabaseName) -> str:
    """The URL of a database."""
    return str(_value(settings, f"{database}_database_url"))


def urls(settings: Settings) -> dict[DatabaseName, str]:
    """The URLs of all databases, by database name."""
    return {database: url(settings, database) for database in DATABASES}


def topics(settings: Settings) -> Topics:
    """The topic of each kind of event."""
    return Topics(
        catalog=settings.catalog_topic, stock=settings.stock_topic, sink=settings.orders_sink_topic or None
    )


def sent_topics(settings: Settings, relay: Relay) -> list[str]:
    """The topics to which a relay sends. A topic whose setting is empty is left out."""
    return [topic for name in relay.topics if (topic := _value(settings, name))]


def topic(settings: Settings, consumer: Consumer) -> str:
    """The topic that a consumer reads."""
    return _value(settings, consumer.topic.name)


def group(settings: Settings, consumer: Consumer) -> str:
    """The consumer group of a consumer."""
    named = consumer.group
    return _value(settings, named.name) if isinstance(named, SettingName) else named


def outbox(settings: Settings, database: DatabaseName) -> Outbox:
    """The outbox of a database: `/order-service` or `/catalog-service` is the source of its events."""
    sources = {"orders": "/order-service", "catalog": "/catalog-service"}
    by_relay = not is_sent_by_debezium(settings, database)
    return Outbox(sources[database], topics(settings), sent_by_relay=by_relay)


def is_sent_by_debezium(settings: Settings, database: DatabaseName) -> bool:
    """Whether Debezium sends the events of this database's outbox, and not a relay."""
    return database == DEBEZIUM_DATABASE and settings.events_via == "cdc"


def start_traces(process: str, settings: Settings) -> None:
    """Trace in this process, if the settings say so. Call it after a fork, not before."""
    tracing.start(
        process,
        endpoint=settings.otel_exporter_otlp_endpoint,
        share=settings.otel_traces_sampler_arg,
        service=settings.otel_service_name,
        broker=settings.broker,
    )


def lease_owner() -> str:
    """A name for this process that is unique among all that share a database."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"


def _value(settings: Settings, name: str) -> str:
    value: str = getattr(settings, name.lower())
    return value
