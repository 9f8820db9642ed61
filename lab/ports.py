"""Where the servers of a lab listen."""

import os
import random
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: a client that calls again and
# again while a server is down could otherwise be given the server's own port, and connect to itself.
FREE = range(20000, 30000)
# Each process takes from one share of these: two that look at once would else find the same port free.
SHARES = 20


@dataclass(frozen=True)
class Ports:
    """The ports of one lab; `Ports.free()` for one that runs beside a developer's."""

    brokers: tuple[int, int, int] = (29092, 29094, 29096)
    controllers: tuple[int, int, int] = (29093, 29095, 29097)
    mariadb: int = 23306
    connect: int = 28083
    # A way round to the first broker, by a proxy: the proxy's port, and the broker's own behind it.
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
    """Whether nothing on this machine takes connections on the port."""
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
