"""The ports of a lab's servers."""

import os
import random
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"
# These ports are below the ephemeral range. Otherwise a client that reconnects again and again while a server
# is down could be given the server's own port, and connect to itself.
FREE = range(20000, 30000)
# Each process uses one share of the ports, so that two processes do not choose the same free port at once.
SHARES = 20


@dataclass(frozen=True)
class Ports:
    """The ports of one lab. `Ports.free()` is for a lab that runs beside a developer's."""

    brokers: tuple[int, int, int] = (29092, 29094, 29096)
    controllers: tuple[int, int, int] = (29093, 29095, 29097)
    mariadb: int = 23306
    connect: int = 28083
    # A second way to the first broker, through a proxy: the proxy's port, and the broker's port behind it.
    detour: tuple[int, int] | None = None

    @classmethod
    def free(cls) -> "Ports":
        found = iter(_free_ports(8))
        return cls(
            (next(found), next(found), next(found)),
            (next(found), next(found), next(found)),
            next(found),
            next(found),
        )


def is_free(port: int) -> bool:
    """Whether no process on this machine listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) != 0


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    usual = Ports()
    taken = {*usual.brokers, *usual.controllers, usual.mariadb, usual.connect}
    mine = FREE[os.getpid() % SHARES :: SHARES]
    for port in random.sample(mine, len(mine)):
        if port not in taken and _can_bind(port):
            found.append(port)
        if len(found) == count:
            break
    return found


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
