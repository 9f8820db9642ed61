"""Every lasting process, as one row of data, in the order in which an order passes through them.

The command line, the settings, `run`, `doctor`, `dead-letters`, `outbox`, `/metrics` and the tests read these
rows. So a new process is a row here and the files that it names (`docs/extending.md`). This module imports
nothing of ours: `--help` must be instant, and a process loads only its own modules.
"""

from dataclasses import dataclass
from typing import Literal

DatabaseName = Literal["orders", "catalog"]
DATABASES: tuple[DatabaseName, ...] = ("orders", "catalog")
DEBEZIUM_DATABASE: DatabaseName = "orders"  # The database whose outbox Debezium sends with EVENTS_VIA=cdc.
# What every process reads. A name that ends in `_` stands for all settings that begin with it.
COMMON_SETTINGS = (
    *("BROKER", "KAFKA_", "STATE_DIR", "TOPIC_MAX_MESSAGE_BYTES", "CONSUMER_INSTANCE"),
    *("LOG_LEVEL", "LOG_FORMAT", "OTEL_"),
    *("CATALOG_TOPIC", "STOCK_TOPIC", "ORDERS_SINK_TOPIC"),
)
METRICS_SETTINGS = ("METRICS_HOST", "METRICS_PORT")  # Settings that every lasting process also reads.
PURGE_SETTINGS = ("OUTBOX_KEEP_DAYS", "TOPIC_RETENTION_DAYS")
JOURNEY_SETTINGS = (*PURGE_SETTINGS, "EVENTS_VIA", "STOCK_GROUP", "STATUS_GROUP")  # One order's journey.


@dataclass(frozen=True, kw_only=True)
class Process:
    """A lasting process. Its *module* has `main`, the command; *settings* are what it reads beside."""

    command: str
    about: str
    module: str
    databases: tuple[DatabaseName, ...]
    settings: tuple[str, ...] = ()

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of all settings that this process reads."""
        urls = (f"{database.upper()}_DATABASE_URL" for database in self.databases)
        return (*urls, *COMMON_SETTINGS, *METRICS_SETTINGS, *self.settings)


@dataclass(frozen=True, kw_only=True)
class Worker(Process):
    """A process that repeats a step. A step that takes longer than *step_seconds* ends the process."""

    step_seconds: int = 120  # Longer than the sum of all waits in a step.

    @property
    def database(self) -> DatabaseName:
        """The one database that this worker uses."""
        (database,) = self.databases
        return database


@dataclass(frozen=True, kw_only=True)
class Relay(Worker):
    """Sends the events of its database's outbox. *topics* are the settings that name their topics."""

    topics: tuple[str, ...]

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of all settings that this process reads."""
        via = ("EVENTS_VIA",) if self.database == DEBEZIUM_DATABASE else ()
        return (*super().uses, *PURGE_SETTINGS, "RELAY_LEASE_SECONDS", *via)


@dataclass(frozen=True)
class SettingName:
    """The name of the setting that holds a value."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Consumer(Worker):
    """Applies the records of a topic to its database.

    Its *module* has `handler(settings)`, which makes the function that applies events, and
    `discard_handler(settings)`, which makes the one for events that an operator discards.
    """

    topic: SettingName
    group: SettingName | str

    @property
    def handler_uses(self) -> tuple[str, ...]:
        """The names of the settings that its handlers and its group need."""
        return (*self.settings, *([self.group.name] if isinstance(self.group, SettingName) else []))

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of all settings that this process reads."""
        # It purges the outbox when Debezium sends it, because then no relay does.
        purge = (*PURGE_SETTINGS, "EVENTS_VIA") if self.database == DEBEZIUM_DATABASE else ()
        return (*super().uses, "DEAD_LETTERS_MAX_BYTES", *self.handler_uses, *purge)


@dataclass(frozen=True, kw_only=True)
class Api(Process):
    """Serves HTTP. For an operator it also replays and discards the dead letters of every consumer."""

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of all settings that this process reads."""
        return (*super().uses, *(name for consumer in CONSUMERS for name in consumer.handler_uses))


PROCESSES: tuple[Process, ...] = (
    Api(
        command="api",
        about="Serve orders and products over HTTP.",
        module="orders_service.api.serving.server",
        databases=("orders", "catalog"),
        settings=(
            *("API_", "AUTH_", "CORS_ORIGINS", "RATE_LIMIT", "LOG_REQUESTS", "UI", "UI_HOSTS"),
            *("TOPIC_PARTITIONS", "TOPIC_REPLICATION", *JOURNEY_SETTINGS),
        ),
    ),
    Relay(
        command="orders-relay",
        about="Send the events of the orders' outbox to Kafka.",
        module="orders_service.workers.orders_relay",
        databases=("orders",),
        topics=("CATALOG_TOPIC", "ORDERS_SINK_TOPIC"),
    ),
    Consumer(
        command="stock-consumer",
        about="Read orders from Kafka; reserve and release stock.",
        module="orders_service.workers.stock_consumer",
        databases=("catalog",),
        topic=SettingName("CATALOG_TOPIC"),
        group=SettingName("STOCK_GROUP"),
        settings=("CATALOG_CHECK_PRICE",),
    ),
    Relay(
        command="catalog-relay",
        about="Send the events of the catalog's outbox to Kafka.",
        module="orders_service.workers.catalog_relay",
        databases=("catalog",),
        topics=("STOCK_TOPIC",),
    ),
    Consumer(
        command="status-consumer",
        about="Read the catalog's answers; confirm or reject orders.",
        module="orders_service.workers.status_consumer",
        databases=("orders",),
        topic=SettingName("STOCK_TOPIC"),
        group=SettingName("STATUS_GROUP"),
    ),
)

WORKERS = tuple(process for process in PROCESSES if isinstance(process, Worker))
RELAYS = tuple(process for process in PROCESSES if isinstance(process, Relay))
CONSUMERS = tuple(process for process in PROCESSES if isinstance(process, Consumer))


def worker(command: str) -> Worker:
    """The worker that is started by *command*."""
    for process in WORKERS:
        if process.command == command:
            return process
    raise LookupError(f"processes.py has no row for {command}")


def relay_of(database: DatabaseName) -> Relay:
    """The relay of a database's outbox."""
    for relay in RELAYS:
        if relay.database == database:
            return relay
    raise LookupError(f"processes.py has no relay for {database}")
