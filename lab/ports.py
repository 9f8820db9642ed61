"""The ports of a lab's servers."""

import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, cycle, islice

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
    # The nodes of a Galera cluster: for clients, for the other nodes, and for incremental state transfers.
    nodes: tuple[int, int, int] = (23307, 23308, 23309)
    galera: tuple[int, int, int] = (24567, 24568, 24569)
    ist: tuple[int, int, int] = (24577, 24578, 24579)
    connect: int = 28083
    # Where the course's slides have Kafka and Connect. The lab's shell leads from there to the lab's own.
    slides_kafka: int = 9092
    slides_connect: int = 8083
    # A second way to the first broker, through a proxy: the proxy's port, and the broker's port behind it.
    detour: tuple[int, int] | None = None

    @classmethod
    def free(cls) -> "Ports":
        found = iter(free_ports(19))

        def three() -> tuple[int, int, int]:
            return next(found), next(found), next(found)

        several = three(), three()
        return cls(*several, next(found), three(), three(), three(), next(found), next(found), next(found))


def is_free(port: int) -> bool:
    """Whether no process on this machine listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) != 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now. The next call gets others: these may not be in use yet."""
    usual = Ports()
    several = (usual.brokers, usual.controllers, usual.nodes, usual.galera, usual.ist)
    taken = {*chain.from_iterable(several), usual.mariadb, usual.connect}
    found: list[int] = []
    for port in islice(_turns(os.getpid()), len(FREE) // SHARES):
        if port not in taken and _can_bind(port):
            found.append(port)
        if len(found) == count:
            break
    return found


@cache
def _turns(pid: int) -> Iterator[int]:
    """The ports of a process, in a random sequence, again and again."""
    mine = FREE[pid % SHARES :: SHARES]
    return cycle(random.sample(mine, len(mine)))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
