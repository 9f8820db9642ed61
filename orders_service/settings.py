"""The environment, read once, frozen; every problem reported in one message."""

import dataclasses
import os
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ON = ("on", "true", "yes", "1")
OFF = ("off", "false", "no", "0")
MARIADB_PORT = 3306
DRIVERS = {"mariadb+pymysql": "mariadb+pymysql://", "sqlite": "sqlite:///"}
OPTIONS = ("charset", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_check_hostname", "ssl_key", "unix_socket")
PROTOCOL = "KAFKA_SECURITY_PROTOCOL"

# What is allowed, in words: `config describe` tells it before, the error after.
DATABASE_URL = "a database URL"
BEGINNING = f"start with {' or '.join(DRIVERS.values())}"
DATABASES = f"{DATABASE_URL}; it must {BEGINNING}; MariaDB's may have {', '.join(OPTIONS)}"
TOPIC = "letters, digits, dots, hyphens and underscores, 249 at most"
SERVERS = "host:port, or several parted by commas"
HOST = "the name or the address of a host"
FILE = "a file that can be read"
CERTIFICATES = "a file of certificates in PEM"
HTTP_URL = "an http:// or https:// URL, without user and password"


class SettingsError(Exception):
    """The environment holds settings that cannot be used; *problems* has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _database_url(value: str) -> None:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError) as error:
        raise ValidationError(f"must be {DATABASE_URL}") from error
    if url.drivername not in DRIVERS:
        raise ValidationError(f"must {BEGINNING}, not {url.drivername}://")
    if not url.database:
        raise ValidationError("must name a database")
    if url.database == ":memory:":
        raise ValidationError("must name a file: each connection would have a memory of its own")
    if url.query.keys() & {"password", "passwd"}:
        raise ValidationError("must have its password before the @, where it is hidden from view")
    if unknown := sorted(url.query.keys() - set(OPTIONS if url.drivername != "sqlite" else ())):
        raise ValidationError(f"must not have the option {unknown[0]}, which is not known")
    _host(url.host or "")
    _port(url.port or MARIADB_PORT)


def _topic(value: str) -> None:
    validate.Regexp(r"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,249}\Z", error=f"must be {TOPIC}")(value)


def _servers(value: str) -> None:
    part = r"[^\s,:]+:[0-9]{1,5}"
    validate.Regexp(rf"{part}(,{part})*\Z", error=f"must be {SERVERS}")(value)
    for host, _, port in (server.partition(":") for server in value.split(",")):
        _host(host)
        _port(int(port))


def _host(value: str) -> None:
    try:
        value.encode("idna")  # As every connection will; what it cannot encode is not an OSError there.
    except UnicodeError as error:
        raise ValidationError(f"must have {HOST}") from error


def _port(value: int) -> None:
    validate.Range(1, 65535, error="must have a port from 1 to 65535")(value)


def _http_url(value: str) -> None:
    validate.Regexp(r"https?://[^\s/@]+(/\S*)?\Z", error=f"must be {HTTP_URL}")(value)


def _file(value: str) -> None:
    try:
        Path(value).open("rb").close()
    except (OSError, ValueError) as error:
        raise ValidationError(f"must be {FILE}: {error}") from error


def _certificates(value: str) -> None:
    _file(value)
    try:
        ssl.create_default_context(cafile=value)
    except ssl.SSLError as error:
        raise ValidationError(f"must be {CERTIFICATES}: {error}") from error


def _no_password(url: str) -> str:
    return url and make_url(url).render_as_string(hide_password=True)


def _nothing(secret: str) -> str:
    return secret and "***"


def _setting(
    default: Any, field: fields.Field[Any], about: str, *, secret: Callable[[str], str] | None = None
) -> Any:
    """A setting; of one that is *secret*, this says what may be shown."""
    metadata = {"field": field, "about": about, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def _text(allowed: str = "any text", *checks: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(min=1, error="must not be empty"), *checks], metadata={"allowed": allowed}
    )


def _whole(least: int, most: int) -> fields.Integer:
    allowed = f"a whole number from {least} to {most}"
    error = f"must be {allowed}"
    return fields.Integer(
        validate=validate.Range(least, most, error=error),
        error_messages={"invalid": error},
        metadata={"allowed": allowed},
    )


def _one_of(*choices: str) -> fields.String:
    allowed = " or ".join(choices)
    return fields.String(
        validate=validate.OneOf(choices, error=f"must be {allowed}"), metadata={"allowed": allowed}
    )


def _switch() -> fields.Boolean:
    return fields.Boolean(
        truthy=set(ON),
        falsy=set(OFF),
        error_messages={"invalid": "must be on or off"},
        metadata={"allowed": " or ".join(", ".join(words) for words in (ON, OFF))},
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a process is told by its environment. Each name in capitals is the variable's."""

    orders_database_url: str = _setting(
        "",
        _text(DATABASES, _database_url),
        "The orders database; SQLite in STATE_DIR unless set.",
        secret=_no_password,
    )
    catalog_database_url: str = _setting(
        "",
        _text(DATABASES, _database_url),
        "The catalog database; SQLite in STATE_DIR unless set.",
        secret=_no_password,
    )
    broker: str = _setting("embedded", _one_of("embedded", "kafka"), "What carries the events.")
    kafka_bootstrap_servers: str = _setting(
        "127.0.0.1:9092", _text(SERVERS, _servers), "Where Kafka answers, host:port,… (BROKER=kafka)."
    )
    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        _one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "Whether Kafka is spoken to over TLS (…SSL), and as a user with a password (SASL_…).",
    )
    kafka_sasl_mechanism: str = _setting(
        "SCRAM-SHA-512",
        _one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        "How Kafka is shown the password.",
    )
    kafka_username: str = _setting("", _text(), "The user that Kafka knows this process as.")
    kafka_password: str = _setting("", _text(), "The password of KAFKA_USERNAME.", secret=_nothing)
    kafka_ca_file: str = _setting(
        "",
        _text(CERTIFICATES, _certificates),
        "Who vouches for Kafka's servers; those whom the system trusts, unless set.",
    )
    kafka_certificate_file: str = _setting(
        "",
        _text(CERTIFICATES, _certificates),
        "The certificate of this process, where Kafka wants to see one.",
    )
    kafka_key_file: str = _setting(
        "", _text(FILE, _file), "The key of KAFKA_CERTIFICATE_FILE, in PEM and not encrypted."
    )
    api_host: str = _setting("127.0.0.1", _text(HOST, _host), "The address that the API listens on.")
    api_port: int = _setting(8000, _whole(1, 65535), "The port that the API listens on.")
    api_workers: int = _setting(2, _whole(1, 64), "Processes of the API.")
    api_threads: int = _setting(
        8,
        _whole(1, 256),
        "Connections of each process of the API to each database; with `run` its threads, too.",
    )
    api_connections_max: int = _setting(
        1000,
        _whole(16, 65536),
        "Client connections of each process of the API. One more closes those that have been slow longest.",
    )
    api_queue_max: int = _setting(
        512,
        _whole(1, 65536),
        "Orders that may wait for their commit in each process of the API. One more is answered 503 at once.",
    )
    state_dir: str = _setting("var/run", _text(), "The folder of the embedded databases and log.")
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "The least that is logged."
    )
    catalog_check_price: bool = _setting(
        False, _switch(), "Reject an order whose unit price is not the catalog's."
    )
    events_via: str = _setting(
        "relay",
        _one_of("relay", "cdc"),
        "What carries the orders' outbox to the broker: orders-relay, or Debezium.",
    )
    outbox_keep_days: int = _setting(
        14, _whole(1, 3650), "How long the outbox keeps what was published; longer than the topics do. Days."
    )
    relay_lease_seconds: int = _setting(
        5, _whole(1, 300), "How long a relay that died keeps its lanes from another. Seconds."
    )
    catalog_topic: str = _setting(
        "example-catalog-topic", _text(TOPIC, _topic), "The topic of the orders' events."
    )
    stock_topic: str = _setting(
        "example-stock-topic", _text(TOPIC, _topic), "The topic of the catalog's answers."
    )
    orders_sink_topic: str = _setting(
        "", _text(TOPIC, _topic), "The topic for the sink of the `orders` table; none unless set."
    )
    connect_url: str = _setting(
        "http://127.0.0.1:8083", _text(HTTP_URL, _http_url), "Where Kafka Connect answers."
    )
    stock_group: str = _setting("catalog-stock", _text(), "The consumer group that reserves stock.")
    status_group: str = _setting(
        "orders-status", _text(), "The consumer group that confirms orders; one for each orders database."
    )
    consumer_instance: str = _setting(
        "", _text(TOPIC, _topic), "This consumer's lasting name in its group; none unless set."
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
        try:
            loaded = schema().load(given)
        except ValidationError as error:
            assert isinstance(error.messages, dict)  # noqa: PT017
            problems |= {name: _problem(name, texts, given) for name, texts in error.messages.items()}
            loaded = error.valid_data or {}
        values = {name.lower(): value for name, value in loaded.items()}
        state_dir = values.get("state_dir", FIELDS["state_dir"].default)
        for name in ("orders", "catalog"):
            values.setdefault(f"{name}_database_url", _sqlite_url(Path(state_dir, f"{name}.db")))
        settings = cls(**values)
        lines = [problems[name] for name in sorted(problems)] + settings._contradictions(problems.keys())
        if lines:
            raise SettingsError(lines)
        return settings

    def show(self) -> dict[str, str]:
        """Every setting by its variable's name, passwords hidden."""
        return {name.upper(): shown(getattr(self, name), field) for name, field in FIELDS.items()}

    def _contradictions(self, wrong: Collection[str]) -> list[str]:
        """Settings that cannot go together; of those that are *wrong* by themselves nothing can be said."""
        same_database = _place(self.orders_database_url) == _place(self.catalog_database_url)
        same_topic = self.stock_topic == self.catalog_topic
        sink_is_catalog = self.orders_sink_topic == self.catalog_topic
        sink_is_stock = self.orders_sink_topic == self.stock_topic
        same_group = self.status_group == self.stock_group
        too_few = self.topic_min_insync_replicas > self.topic_replication
        too_soon = self.outbox_keep_days <= self.topic_retention_days
        own, none = "each needs its own", "nothing could be sent"
        gone = "what a topic has dropped could not be sent again"
        rules = [
            (same_database, "CATALOG_DATABASE_URL", "is the same database as", "ORDERS_DATABASE_URL", own),
            (same_topic, "STOCK_TOPIC", "is the same topic as", "CATALOG_TOPIC", own),
            (sink_is_catalog, "ORDERS_SINK_TOPIC", "is the same topic as", "CATALOG_TOPIC", own),
            (sink_is_stock, "ORDERS_SINK_TOPIC", "is the same topic as", "STOCK_TOPIC", own),
            (same_group, "STATUS_GROUP", "is the same group as", "STOCK_GROUP", own),
            (too_soon, "OUTBOX_KEEP_DAYS", "is not longer than", "TOPIC_RETENTION_DAYS", gone),
            (too_few, "TOPIC_MIN_INSYNC_REPLICAS", "is larger than", "TOPIC_REPLICATION", none),
            *self._kafka_contradictions(),
        ]
        return [
            f"{one} {fault} {other}; {so}"
            for broken, one, fault, other, so in rules
            if broken and not {one, other} & set(wrong)
        ]

    def _kafka_contradictions(self) -> list[tuple[bool, str, str, str, str]]:
        protocol, user = self.kafka_security_protocol, ("KAFKA_USERNAME", "KAFKA_PASSWORD")
        certificate, key = "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE"
        with_user, with_tls = protocol.startswith("SASL"), protocol.endswith("SSL")
        used = dict.fromkeys(user, with_user) | dict.fromkeys(("KAFKA_CA_FILE", certificate, key), with_tls)
        given = {name for name in used if getattr(self, name.lower())}
        two, it_is = {certificate, key} & given, f"it is {protocol}"
        unfit = _misfit(self.kafka_certificate_file, self.kafka_key_file) if len(two) == 2 else ""
        return [
            *((with_user and n not in given, n, "must be set for", PROTOCOL, it_is) for n in user),
            *((n in given and not used[n], n, "is of no use for", PROTOCOL, it_is) for n in used),
            (two == {key}, certificate, "must be set for", key, "one is nothing without the other"),
            (two == {certificate}, key, "must be set for", certificate, "one is nothing without the other"),
            (bool(unfit), key, "is not the key of", certificate, unfit),
        ]


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def _given(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What is set, and what is wrong, by name; a secret may stand in a file that `…_FILE` names."""
    given: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name, field in ((name.upper(), field) for name, field in FIELDS.items()):
        value = environment.get(name)
        path = environment.get(f"{name}_FILE") if field.metadata["secret"] else None
        if value and path:
            problems[name] = f"{name} and {name}_FILE are both set; keep one"
        elif path:
            try:
                given[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                problems[name] = f"{name}_FILE names a file that cannot be read: {error}"
        elif value:
            given[name] = value
    for name in [name for name, value in given.items() if not _is_text(value)]:
        problems[name] = f"{name} is not text in UTF-8"
        del given[name]
    return given, problems


def _is_text(value: str) -> bool:
    """Whether *value* has only whole characters; Python keeps a variable's other bytes as halves of some."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def _place(url: str) -> tuple[str | int | None, ...]:
    """What all URLs of one database have in common."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return (os.path.abspath(parsed.database or ""),)
    return parsed.host, parsed.port or MARIADB_PORT, parsed.database


def _problem(name: str, texts: list[str], given: Mapping[str, str]) -> str:
    secret = FIELDS[name.lower()].metadata["secret"]
    return f"{name} {'; '.join(texts)}" + ("" if secret else f" (it is {given[name]!r})")


def _misfit(certificate: str, key: str) -> str:
    """Why the *key* cannot be used with its *certificate*; empty if it can."""
    try:
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def shown(value: Any, field: dataclasses.Field[Any]) -> str:
    """The value of a setting as it may be seen."""
    if hide := field.metadata["secret"]:
        return str(hide(value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
