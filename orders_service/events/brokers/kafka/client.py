"""Makes and closes kafka-python's clients: connection check, TLS and SASL, every time-out."""

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from orders_service.events.brokers.kafka.security import Security
from orders_service.events.brokers.port import BrokerError

PROBE_SECONDS = 1.0  # For a server to accept a connection.
TLS_SECONDS = 5.0  # For the TLS handshake of that connection.
BOOTSTRAP_SECONDS = 2.0  # For a new client to get the cluster's metadata.
RECONNECT_SECONDS = 1.0  # The longest pause between two attempts to connect to a server.
METADATA_SECONDS = 1.0  # For a producer to learn a topic's partitions.
METADATA_AGE_SECONDS = 30.0  # Until a client learns that a topic has more partitions.
REQUEST_SECONDS = 5.0  # For the answer to a request.
DELIVERY_SECONDS = 8.0  # For the delivery of a record, with all its retries.
GIVE_UP_SECONDS = 10.0  # Our own limit for a delivery: without a producer id the library has none.
COMMIT_SECONDS = 5.0
# How long a broker holds a fetch request that it has no records for. Meanwhile the library sends it no other
# fetch request, not even for a partition with many records.
FETCH_SECONDS = 0.05
SESSION_SECONDS = 15.0  # Until the partitions of a member that was killed go to others.
HEARTBEAT_SECONDS = 1.0  # Until a member learns that another joins or leaves.
JOIN_SECONDS = 5.0  # How long a poll may last while the group is being joined.
JOIN_POLL_SECONDS = 1.0  # With shorter polls the library has waited for ever.
# A join that takes longer has stalled. Longer than a session time-out, which ends the wait for a dead member.
STALL_SECONDS = 60.0
ADMIN_SECONDS = 15.0
CLOSE_SECONDS = 3.0


PLAINTEXT = Security()


@dataclass(frozen=True)
class Servers:
    """A cluster's bootstrap servers, `host:port,…`, and its security settings."""

    where: str
    security: Security


def connect(kind: Callable[..., Any], servers: Servers, **settings: object) -> Any:
    """Make a client of class *kind*. If that fails, its connections and threads are closed."""
    security = servers.security
    try:
        tls = security.tls()
    except OSError as error:
        raise BrokerError(f"cannot load the certificates for Kafka: {error}") from error
    _probe(servers.where, tls)
    parts: list[KafkaNetClient] = []

    def network(**configuration: object) -> KafkaNetClient:
        parts.append(KafkaNetClient(**configuration))
        return parts[0]

    try:
        with translated():
            return kind(
                bootstrap_servers=servers.where,
                security_protocol=security.protocol,
                ssl_context=tls,
                **security.user(),
                bootstrap_timeout_ms=ms(BOOTSTRAP_SECONDS),
                reconnect_backoff_max_ms=ms(RECONNECT_SECONDS),
                metadata_max_age_ms=ms(METADATA_AGE_SECONDS),
                kafka_client=network,
                # Looked up now: the library keeps the one of its import. If that was before gevent's patches,
                # it would block all greenlets.
                selector=selectors.DefaultSelector,
                **settings,
            )
    except BaseException as error:
        for part in parts:
            end(part.close)
        if isinstance(error.__cause__, KafkaTimeoutError):
            raise BrokerError(_unanswered(servers)) from error
        raise


def _unanswered(servers: Servers) -> str:
    """The message for a broker that accepts connections and then says nothing that the library passes on."""
    user = "rejects this user and password" if servers.security.user() else "requires authentication"
    way = f"{servers.where} over {servers.security}"
    return f"no answer from Kafka at {way}: the broker hangs, {user}, or expects another security protocol"


def _probe(servers: str, tls: ssl.SSLContext | None) -> None:
    """Fail at once if no server accepts a connection: a client would retry until its time-out."""
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
    raise BrokerError(f"cannot connect to Kafka: {'; '.join(problems)}")


def _try(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        if tls:  # The library would wait for ever for the server's part of the handshake.
            connection.settimeout(TLS_SECONDS)
            tls.wrap_socket(connection, server_hostname=host).close()


def end(close: Callable[[], object]) -> None:
    """Close a client, and wait for at most `CLOSE_SECONDS`.

    The clients' own `close` does not keep to a time-out, and its errors help nobody.
    """

    def quietly() -> None:
        with suppress(Exception):
            close()

    closing = threading.Thread(target=quietly, name="kafka-close", daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


@contextmanager
def translated() -> Iterator[None]:
    """Raise a `BrokerError` for each error of the library, which becomes its cause."""
    try:
        yield
    except KafkaError as error:
        raise BrokerError(str(error)) from error


def ms(seconds: float) -> int:
    """Seconds in milliseconds, the unit of the library."""
    return int(seconds * 1000)
