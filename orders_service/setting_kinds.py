"""The kinds of settings: which values each kind allows, and what may be shown of them."""

import dataclasses
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate
from sqlalchemy.exc import ArgumentError

from orders_service.database_url import InvalidHosts, parse

ON = ("on", "true", "yes", "1")
OFF = ("off", "false", "no", "0")
DRIVERS = {"mariadb+pymysql": "mariadb+pymysql://", "sqlite": "sqlite:///"}
OPTIONS = ("charset", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_check_hostname", "ssl_key", "unix_socket")

# The texts that say which values are allowed. `config describe` and the error messages use the same text.
DATABASE_URL = "a database URL"
BEGINNING = f"start with {' or '.join(DRIVERS.values())}"
SEVERAL_HOSTS = "several hosts for MariaDB, tried in their sequence: user@db1,db2:3307/name"
DATABASE_URLS = (
    f"{DATABASE_URL}; it must {BEGINNING}; {SEVERAL_HOSTS}; options for MariaDB: {', '.join(OPTIONS)}"
)
TOPIC = "at most 249 letters, digits, dots, hyphens and underscores"
SERVERS = "host:port, or several separated by commas"
HOST = "a host name or an IP address"
FILE = "a file that can be read"
CERTIFICATES = "a file of certificates in PEM"
HTTP_URL = "an http:// or https:// URL, without user and password"
RATE_UNITS = {"s": 1, "min": 60}  # Seconds.
RATE = "requests per second or minute, from 1 to 1000000, such as 100/s or 600/min"


def database_url(value: str) -> None:
    try:
        parsed = parse(value)
    except InvalidHosts as error:
        raise ValidationError(str(error)) from error
    except (ArgumentError, ValueError) as error:
        raise ValidationError(f"must be {DATABASE_URL}") from error
    url = parsed.first
    if url.drivername not in DRIVERS:
        raise ValidationError(f"must {BEGINNING}, not {url.drivername}://")
    if not url.database:
        raise ValidationError("must name a database")
    if url.database == ":memory:":
        raise ValidationError("must name a file: with :memory:, each connection would have its own database")
    if not parsed.is_sqlite and "@" in f"{url.host}{url.database}":
        raise ValidationError("must have each @ in its password written as %40")
    if url.query.keys() & {"password", "passwd"}:
        raise ValidationError(
            "must have its password before the @, because only there it is hidden in output"
        )
    if unknown := sorted(url.query.keys() - set(OPTIONS if url.drivername != "sqlite" else ())):
        raise ValidationError(f"must not have the unknown option {unknown[0]}")
    if parsed.has_several_hosts and "unix_socket" in url.query:
        raise ValidationError("must not have the option unix_socket together with several hosts")
    for each in parsed.hosts:
        host(each.name)
        port(each.port)


def topic(value: str) -> None:
    validate.Regexp(r"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,249}\Z", error=f"must be {TOPIC}")(value)


def servers(value: str) -> None:
    part = r"[^\s,:@/]+:[0-9]{1,5}"
    validate.Regexp(rf"{part}(,{part})*\Z", error=f"must be {SERVERS}")(value)
    for name, _, number in (server.partition(":") for server in value.split(",")):
        host(name)
        port(int(number))


def host(value: str) -> None:
    try:
        # Connecting encodes the host name in the same way, but there a failure is not an OSError and would
        # not be handled.
        value.encode("idna")
    except UnicodeError as error:
        raise ValidationError(f"must have {HOST}") from error


def port(value: int) -> None:
    validate.Range(1, 65535, error="must have a port from 1 to 65535")(value)


def http_url(value: str) -> None:
    validate.Regexp(r"https?://[^\s/@?#]+(/[^\s@]*)?\Z", error=f"must be {HTTP_URL}")(value)
    try:
        parsed = urlsplit(value)
        number = parsed.port
    except ValueError as error:
        raise ValidationError(f"must be {HTTP_URL}") from error
    host(parsed.hostname or "")
    port(1 if number is None else number)


def receiver_url(value: str) -> None:
    http_url(value)
    if value.rstrip("/").endswith("/v1/traces"):
        raise ValidationError("must not contain /v1/traces, which is added to it")


def rate(value: str) -> None:
    validate.Regexp(rf"([1-9][0-9]{{0,5}}|1000000)/({'|'.join(RATE_UNITS)})\Z", error=f"must be {RATE}")(
        value
    )


def file(value: str) -> None:
    try:
        Path(value).open("rb").close()
    except (OSError, ValueError) as error:
        raise ValidationError(f"must be {FILE}: {getattr(error, 'strerror', None) or error}") from error


def certificates(value: str) -> None:
    file(value)
    try:
        ssl.create_default_context(cafile=value)
    except ssl.SSLError as error:
        raise ValidationError(f"must be {CERTIFICATES}: {error}") from error


def nothing(secret: str) -> str:
    return secret and "***"


def setting(
    default: Any, field: fields.Field[Any], about: str, *, secret: Callable[[str], str] | None = None
) -> Any:
    """A dataclass field for a setting. *secret* is a function that returns what may be shown of its value."""
    metadata = {"field": field, "about": about, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def text(allowed: str = "any text", *checks: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(min=1, error="must not be empty"), *checks], metadata={"allowed": allowed}
    )


def whole(least: int, most: int) -> fields.Integer:
    allowed = f"a whole number from {least} to {most}"
    error = f"must be {allowed}"
    return fields.Integer(
        validate=validate.Range(least, most, error=error),
        error_messages={"invalid": error},
        metadata={"allowed": allowed},
    )


def share() -> fields.Float:
    allowed = "a number from 0 to 1"
    error = f"must be {allowed}"
    return fields.Float(
        validate=validate.Range(0, 1, error=error),
        error_messages={"invalid": error, "special": error},
        metadata={"allowed": allowed},
    )


def one_of(*choices: str) -> fields.String:
    allowed = " or ".join(choices)
    return fields.String(
        validate=validate.OneOf(choices, error=f"must be {allowed}"), metadata={"allowed": allowed}
    )


def switch() -> fields.Boolean:
    return fields.Boolean(
        truthy=set(ON),
        falsy=set(OFF),
        error_messages={"invalid": "must be on or off"},
        metadata={"allowed": " or ".join(", ".join(words) for words in (ON, OFF))},
    )


def shown(value: Any, field: dataclasses.Field[Any]) -> str:
    """The value of a setting as text, with secrets hidden; empty if it is unset and has no default."""
    if hide := field.metadata["secret"]:
        return str(hide(value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)
