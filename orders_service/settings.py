"""The environment, read once, frozen; every problem reported in one message."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ON = {"1", "on", "true", "yes"}
OFF = {"0", "off", "false", "no"}


class SettingsError(Exception):
    """The environment holds settings that cannot be used; *problems* has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _database_url(value: str) -> None:
    try:
        url = make_url(value)
    except ArgumentError as error:
        raise ValidationError("must be a database URL") from error
    if url.drivername not in ("mariadb+pymysql", "sqlite"):
        raise ValidationError(f"must start with mariadb+pymysql:// or sqlite:///, not {url.drivername}://")
    if not url.database:
        raise ValidationError("must name a database")


def _topic(value: str) -> None:
    validate.Regexp(
        r"[a-zA-Z0-9._-]{1,249}\Z",
        error="must be letters, digits, dots, hyphens and underscores, 249 at most",
    )(value)


def _servers(value: str) -> None:
    part = r"[^\s,:]+:\d{1,5}"
    validate.Regexp(rf"{part}(,{part})*\Z", error="must be host:port, or several parted by commas")(value)


def _setting(default: Any, field: fields.Field[Any], about: str, *, secret: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"field": field, "about": about, "secret": secret})


def _text(*checks: Any) -> fields.String:
    return fields.String(validate=[validate.Length(min=1, error="must not be empty"), *checks])


def _whole(least: int, most: int) -> fields.Integer:
    error = f"must be a whole number from {least} to {most}"
    return fields.Integer(
        validate=validate.Range(least, most, error=error), error_messages={"invalid": error}
    )


def _one_of(*choices: str) -> fields.String:
    return fields.String(validate=validate.OneOf(choices, error="must be " + " or ".join(choices)))


def _switch() -> fields.Boolean:
    return fields.Boolean(truthy=ON, falsy=OFF, error_messages={"invalid": "must be on or off"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a process is told by its environment. Each name in capitals is the variable's."""

    orders_database_url: str = _setting(
        "", _text(_database_url), "The orders database; SQLite in STATE_DIR unless set.", secret=True
    )
    catalog_database_url: str = _setting(
        "", _text(_database_url), "The catalog database; SQLite in STATE_DIR unless set.", secret=True
    )
    broker: str = _setting("embedded", _one_of("embedded", "kafka"), "What carries the events.")
    kafka_bootstrap_servers: str = _setting(
        "127.0.0.1:9092", _text(_servers), "Where Kafka answers, host:port,… (BROKER=kafka)."
    )
    api_host: str = _setting("127.0.0.1", _text(), "The address that the API listens on.")
    api_port: int = _setting(8000, _whole(1, 65535), "The port that the API listens on.")
    api_workers: int = _setting(2, _whole(1, 64), "Processes of the API.")
    api_threads: int = _setting(8, _whole(1, 256), "Threads of each process of the API.")
    state_dir: str = _setting("var/run", _text(), "The folder of the embedded databases and log.")
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "The least that is logged."
    )
    catalog_check_price: bool = _setting(
        False, _switch(), "Reject an order whose unit price is not the catalog's."
    )
    events_via: str = _setting("relay", _one_of("relay"), "What carries the orders' outbox to the broker.")
    relay_lease_seconds: int = _setting(
        5, _whole(1, 300), "How long a relay that died keeps its lanes from another. Seconds."
    )
    catalog_topic: str = _setting("example-catalog-topic", _text(_topic), "The topic of the orders' events.")
    stock_topic: str = _setting("example-stock-topic", _text(_topic), "The topic of the catalog's answers.")
    stock_group: str = _setting("catalog-stock", _text(), "The consumer group that reserves stock.")
    status_group: str = _setting(
        "orders-status", _text(), "The consumer group that confirms orders; one for each orders database."
    )
    topic_partitions: int = _setting(6, _whole(1, 1000), "Partitions of a topic when it is created.")
    topic_replication: int = _setting(1, _whole(1, 10), "Replicas of a topic when it is created.")
    topic_min_insync_replicas: int = _setting(
        1, _whole(1, 10), "Replicas that must have a record before it is acknowledged."
    )
    topic_retention_days: int = _setting(7, _whole(1, 3650), "How long a topic keeps a record. Days.")
    topic_max_message_bytes: int = _setting(
        1_048_576, _whole(1024, 104_857_600), "The largest batch that a topic takes. Bytes."
    )

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The settings of *environment*; raises `SettingsError` with every problem. Empty means unset."""
        given, problems = _given(environment)
        schema = Schema.from_dict({name.upper(): field.metadata["field"] for name, field in FIELDS.items()})
        values: dict[str, Any] = {}
        try:
            loaded = schema().load(given)
        except ValidationError as error:
            assert isinstance(error.messages, dict)  # noqa: PT017
            problems += [_problem(name, texts, given) for name, texts in sorted(error.messages.items())]
            loaded = error.valid_data or {}
        values = {name.lower(): value for name, value in loaded.items()}
        state_dir = values.get("state_dir", FIELDS["state_dir"].default)
        for name in ("orders", "catalog"):
            values.setdefault(f"{name}_database_url", f"sqlite:///{Path(state_dir, name)}.db")
        settings = cls(**values)
        if not problems:
            problems = settings._contradictions()
        if problems:
            raise SettingsError(problems)
        return settings

    def show(self) -> dict[str, str]:
        """Every setting by its variable's name, passwords hidden."""
        return {name.upper(): _shown(getattr(self, name), field) for name, field in FIELDS.items()}

    def _contradictions(self) -> list[str]:
        problems = []
        if self.orders_database_url == self.catalog_database_url:
            problems.append(
                "CATALOG_DATABASE_URL is the same database as ORDERS_DATABASE_URL; each needs its own"
            )
        if self.catalog_topic == self.stock_topic:
            problems.append("STOCK_TOPIC is the same topic as CATALOG_TOPIC; each needs its own")
        if self.topic_min_insync_replicas > self.topic_replication:
            problems.append(
                "TOPIC_MIN_INSYNC_REPLICAS is larger than TOPIC_REPLICATION; nothing could be sent"
            )
        return problems


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def _given(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What is set, by name; a secret may stand in a file that `…_FILE` names."""
    given, problems = {}, []
    for name, field in ((name.upper(), field) for name, field in FIELDS.items()):
        if environment.get(name):
            given[name] = environment[name]
        if field.metadata["secret"] and (path := environment.get(f"{name}_FILE")):
            if name in given:
                problems.append(f"{name} and {name}_FILE are both set; keep one")
            try:
                given[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                problems.append(f"{name}_FILE names a file that cannot be read: {error}")
    return given, problems


def _problem(name: str, texts: list[str], given: Mapping[str, str]) -> str:
    secret = FIELDS[name.lower()].metadata["secret"]
    return f"{name} {'; '.join(texts)}" + ("" if secret else f" (it is {given[name]!r})")


def _shown(value: Any, field: dataclasses.Field[Any]) -> str:
    if field.metadata["secret"]:
        return make_url(value).render_as_string(hide_password=True)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
