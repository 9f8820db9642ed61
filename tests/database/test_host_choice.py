"""The choice of a host, without a server: see `test_hosts.py` for real ones."""

from collections.abc import Callable
from typing import Any

import pymysql
import pytest
from structlog.testing import capture_logs

from orders_service.database import engines
from orders_service.database.bounds import HOST_READ_SECONDS, HOST_SECONDS, READ_SECONDS
from orders_service.database.hosts import Hosts
from orders_service.database.one_trip import GuardedConnection
from orders_service.database_url import Host

ONE, TWO = Host("db1"), Host("db2")


class Answering(GuardedConnection):
    """A connection to a server that says it is writable, and notes how long it was waited for."""

    _sock = None

    def __init__(self) -> None:
        self.waits: list[float | None] = []
        self.limit_reads(READ_SECONDS)

    def cursor(self, _: Any = None) -> Any:
        return self

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _: str) -> None:
        self.waits.append(self._read_timeout)

    def fetchone(self) -> tuple[int, None, None]:
        return 0, None, None


def test_a_server_has_as_long_to_tell_its_state_as_to_accept_a_connection() -> None:
    connection = Answering()

    Hosts((ONE, TWO)).connect(lambda _: connection)

    assert (connection.waits, connection._read_timeout) == ([HOST_SECONDS], READ_SECONDS)


def test_a_new_connection_is_used_once_if_the_process_moves_meanwhile() -> None:
    hosts = Hosts((ONE, TWO))
    place = hosts.connect(lambda _: Answering()).place
    assert place is not None
    hosts.fail(ONE, "it hangs")
    hosts.connect(lambda _: Answering())
    assert (place.host, hosts.current) == (ONE, TWO)

    place.require_current()

    with pytest.raises(pymysql.OperationalError, match="left db1:3306 for another host"):
        place.require_current()


@pytest.mark.parametrize("seconds", [HOST_READ_SECONDS, READ_SECONDS])
def test_a_wait_for_a_lock_ends_before_the_server_counts_as_one_that_hangs(seconds: int) -> None:
    assert engines._lock_seconds(seconds) < seconds


class ReadOnly(Answering):
    """A connection to a server that says it is read-only."""

    def fetchone(self) -> tuple[int, None, None]:
        return 1, None, None

    def close(self) -> None:
        pass


def refused() -> Answering:
    raise pymysql.OperationalError(2003, "no answer")


def connect(hosts: Hosts, **servers: Callable[[], Answering]) -> GuardedConnection:
    """Connect to the first of these servers that can be used; those that are not named answer."""
    return hosts.connect(lambda host: servers.get(host.name, Answering)())


@pytest.mark.parametrize(
    ("server", "reason"), [(refused, "no answer"), (ReadOnly, "it is read-only or not in step")]
)
def test_a_process_says_once_that_it_uses_another_host_and_why(
    server: Callable[[], Answering], reason: str
) -> None:
    hosts = Hosts((ONE, TWO))
    with capture_logs() as lines:
        connect(hosts)
        for _ in range(3):
            connect(hosts, db1=server)

    assert [(line["previous"], line["host"], line["reason"]) for line in lines] == [
        ("db1:3306", "db2:3306", reason)
    ]


def test_a_process_says_why_it_left_a_host_in_the_middle_of_a_statement_and_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = Hosts((ONE, TWO))
    place = connect(hosts).place
    assert place is not None
    with capture_logs() as lines:
        place.fail("timed out")
        connect(hosts)
        monkeypatch.setattr("orders_service.database.hosts.FAILED_SECONDS", 0)
        connect(hosts)

    assert [(line["host"], line["reason"]) for line in lines] == [
        ("db2:3306", "timed out"),
        ("db1:3306", "a host before it in the URL is back"),
    ]


def test_a_slow_connection_does_not_lead_back_to_a_host_that_was_left_meanwhile() -> None:
    hosts = Hosts((ONE, TWO))
    connect(hosts)

    def slow() -> Answering:
        hosts.fail(ONE, "it hangs")
        connect(hosts)
        return Answering()

    connect(hosts, db1=slow)

    assert hosts.current == TWO
