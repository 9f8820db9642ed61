"""The settings of a process, read once from the environment into one frozen object.

All problems are reported in one message.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from marshmallow import Schema, ValidationError
from sqlalchemy.engine import URL

from orders_service import environment
from orders_service.api_settings import ApiSettings
from orders_service.observation_settings import ObservationSettings
from orders_service.printable import safe, without_user
from orders_service.processes import DATABASES
from orders_service.setting_kinds import (
    CERTIFICATES,
    DATABASE_URLS,
    FILE,
    HTTP_URL,
    SERVERS,
    TOPIC,
    certificates,
    database_url,
    file,
    http_url,
    nothing,
    one_of,
    servers,
    setting,
    shown,
    switch,
    text,
    topic,
    whole,
)
from orders_service.setting_rules import contradictions


class SettingsError(Exception):
    """Some settings in the environment are invalid. *problems* has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Settings(ObservationSettings, ApiSettings):
    """The settings of a process. The environment variable of a field is its name in capitals."""

    orders_database_url: str = setting(
        "",
        text(DATABASE_URLS, database_url),
        "The URL of the orders database. Unset: SQLite in STATE_DIR.",
        secret=without_user,
    )
    catalog_database_url: str = setting(
        "",
        text(DATABASE_URLS, database_url),
        "The URL of the catalog database. Unset: SQLite in STATE_DIR.",
        secret=without_user,
    )
    broker: str = setting(
        "embedded",
        one_of("embedded", "kafka"),
        "The broker that stores the events: Kafka, or a log in a SQLite file.",
    )
    kafka_bootstrap_servers: str = setting(
        "127.0.0.1:9092",
        text(SERVERS, servers),
        "The addresses of Kafka's brokers, as host:port,… (with BROKER=kafka).",
    )
    kafka_security_protocol: str = setting(
        "PLAINTEXT",
        one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "Kafka's security protocol: TLS (…SSL), and authentication by user and password (SASL_…).",
    )
    kafka_sasl_mechanism: str = setting(
        "SCRAM-SHA-512", one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "The SASL mechanism."
    )
    kafka_username: str = setting("", text(), "The SASL user.")
    kafka_password: str = setting("", text(), "The password of KAFKA_USERNAME.", secret=nothing)
    kafka_ca_file: str = setting(
        "",
        text(CERTIFICATES, certificates),
        "The CA certificate of Kafka's brokers. Unset: the system's CA certificates.",
    )
    kafka_certificate_file: str = setting(
        "", text(CERTIFICATES, certificates), "The client certificate, if Kafka requires one."
    )
    kafka_key_file: str = setting(
        "", text(FILE, file), "The private key of KAFKA_CERTIFICATE_FILE, as unencrypted PEM."
    )
    state_dir: str = setting("var/run", text(), "The folder of SQLite databases and embedded log.")
    catalog_check_price: bool = setting(
        False, switch(), "Reject orders whose unit price differs from the catalog's."
    )
    events_via: str = setting(
        "relay",
        one_of("relay", "cdc"),
        "What sends the orders' outbox to the broker: the orders-relay, or Debezium (change data capture).",
    )
    outbox_keep_days: int = setting(
        14,
        whole(1, 3650),
        "Days for which published events stay in the outbox. Must be longer than the topics' retention.",
    )
    dead_letters_max_bytes: int = setting(
        104_857_600,
        whole(1_048_576, 1_099_511_627_776),
        "Bytes that the unresolved dead letters of a database may take before its consumers stop.",
    )
    relay_lease_seconds: int = setting(
        5, whole(1, 300), "Seconds after which another relay takes over the lanes of a relay that died."
    )
    catalog_topic: str = setting(
        "example-catalog-topic", text(TOPIC, topic), "The topic of the orders' events."
    )
    stock_topic: str = setting(
        "example-stock-topic", text(TOPIC, topic), "The topic of the catalog's answers."
    )
    orders_sink_topic: str = setting(
        "",
        text(TOPIC, topic),
        "The topic for the sink connector of the `orders` table. Unset: these events are not sent.",
    )
    connect_url: str = setting(
        "http://127.0.0.1:8083", text(HTTP_URL, http_url), "The URL of Kafka Connect's REST interface."
    )
    stock_group: str = setting("catalog-stock", text(), "The consumer group that reserves stock.")
    status_group: str = setting(
        "orders-status", text(), "The consumer group that confirms orders, one for each orders database."
    )
    consumer_instance: str = setting(
        "",
        text(TOPIC, topic),
        "This consumer's static name in its group (group.instance.id). Unset: dynamic membership.",
    )
    topic_partitions: int = setting(6, whole(1, 1000), "The number of partitions of a new topic.")
    topic_replication: int = setting(1, whole(1, 10), "The number of replicas of a new topic.")
    topic_min_insync_replicas: int = setting(
        1, whole(1, 10), "The number of replicas that must store a record before it is acknowledged."
    )
    topic_retention_days: int = setting(7, whole(1, 3650), "Days for which a topic keeps its records.")
    topic_max_message_bytes: int = setting(
        1_048_576, whole(1024, 104_857_600), "The size of the largest batch that a topic accepts, in bytes."
    )

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ, *, process: str = "") -> "Settings":
        """Read the settings from *variables*; raise `SettingsError` with every problem. Empty means unset.

        With *process*, only problems of settings that this process uses are raised. An invalid setting that
        it does not use gets its default.
        """
        examined = cls.examine(variables, process=process)
        examined.refuse()
        return examined.settings

    @classmethod
    def examine(cls, variables: Mapping[str, str] = os.environ, *, process: str = "") -> "Examined":
        """Read the settings as `read` does, but return the problems. Invalid settings get their defaults."""
        given, problems = environment.given(variables, names(), secrets())
        schema = Schema.from_dict({name.upper(): field.metadata["field"] for name, field in FIELDS.items()})
        try:
            loaded = schema().load(given)
        except ValidationError as error:
            assert isinstance(error.messages, dict)  # noqa: PT017
            problems |= {name: _problem(name, texts, given) for name, texts in error.messages.items()}
            loaded = error.valid_data or {}
        values = {name.lower(): value for name, value in loaded.items()}
        state_dir = values.get("state_dir", FIELDS["state_dir"].default)
        for name in DATABASES:
            values.setdefault(f"{name}_database_url", _sqlite_url(Path(state_dir, f"{name}.db")))
        settings = cls(**values)
        used = environment.used(process, names(), kafka=settings.broker == "kafka")
        invalid = {name: problems[name] for name in sorted(problems) if name in used}
        broken = contradictions(vars(settings), problems.keys(), used, given.keys())
        return Examined(settings, invalid, broken)

    def show(self) -> dict[str, str]:
        """Every setting by the name of its variable, with passwords hidden."""
        return {name.upper(): shown(getattr(self, name), field) for name, field in FIELDS.items()}


@dataclass(frozen=True)
class Examined:
    """The settings of a process with their problems: a line for each, by the setting that it is about."""

    settings: Settings
    invalid: Mapping[str, str]
    contradictory: Sequence[tuple[str, str]]

    @property
    def problems(self) -> list[tuple[str, str]]:
        return [*self.invalid.items(), *self.contradictory]

    def refuse(self) -> None:
        """Raise `SettingsError` with every problem, if there is one."""
        if self.problems:
            raise SettingsError([line for _, line in self.problems])


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def of_process(name: str) -> Settings:
    """Read the settings of the process *name* from the environment; warn on stderr of misspelt variables."""
    warn_of_misspelt()
    return Settings.read(process=name)


def warn_of_misspelt() -> None:
    """Print a line on stderr for each misspelt variable."""
    for variable, advice in misspelt():
        click.echo(safe(f"! {variable} is not a setting of this service and is ignored: {advice}"), err=True)


def misspelt() -> list[tuple[str, str]]:
    """The environment variables that look like a setting but are not one, each with advice."""
    return environment.misspelt(os.environ, names(), secrets())


def names() -> list[str]:
    """The variable names of all settings."""
    return [name.upper() for name in FIELDS]


def secrets() -> list[str]:
    """The variable names of the secret settings. A secret may also be read from the file in `…_FILE`."""
    return [name.upper() for name, field in FIELDS.items() if field.metadata["secret"]]


def _sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def _problem(name: str, texts: list[str], given: Mapping[str, str]) -> str:
    problem, value = f"{name} {'; '.join(texts)}", given[name]
    if FIELDS[name.lower()].metadata["secret"]:
        return problem
    return f"{problem} (it is {without_user(value)!r}){environment.origin(name, value)}"
