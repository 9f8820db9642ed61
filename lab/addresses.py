"""Checks quickly whether Kafka answers at an address: Kafka's own tools try for a minute."""

import socket
import struct

from .errors import NobodyListens

SECONDS = 3.0
# An ApiVersions request (18), version 0, correlation id 1, client id "lab": every client sends it first.
HELLO = struct.pack(">ihhih3s", 13, 18, 0, 1, 3, b"lab")


def speaks_kafka(host: str, port: int) -> bool:
    """Whether a broker answers an ApiVersions request at *host*:*port* without TLS."""
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as connection:
            connection.sendall(HELLO)
            with connection.makefile("rb") as answer:
                _size, correlation, error = struct.unpack(">iih", answer.read(10))
    except (OSError, UnicodeError, struct.error):
        return False
    return (correlation, error) == (1, 0)


def check(servers: str, *, here: str, plain: bool = True) -> None:
    """Raise `NobodyListens` unless one of *servers* (host:port,…) answers. *here* is added to the message.

    A server that expects TLS or a password does not answer our request. Without *plain* it is enough that
    the port is open.
    """
    faults = [_fault(server.strip(), plain) for server in servers.split(",")]
    if all(faults):
        raise NobodyListens(f"{faults[0]}. {here}")


def _fault(server: str, plain: bool) -> str:
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        return f"{server!r} is not host:port"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except socket.gaierror:
        return f"{host} is not the name of a machine that can be found"
    except (OSError, UnicodeError):
        return f"Nothing listens on {server}"
    if plain and not speaks_kafka(host.strip("[]"), int(port)):
        return f"What listens on {server} does not answer as Kafka does"
    return ""
