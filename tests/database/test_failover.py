"""A transaction outlives a moment without a server, as when a proxy moves to another node; and no longer."""

import time
from collections.abc import Iterator
from threading import Thread
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from lab import Lab
from orders_service.database.bounds import FAILOVER_SECONDS
from orders_service.database.engines import open_engine
from orders_service.database.transactions import in_transaction
from rig import waiting
from tests.database.things import THINGS, Base, things
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.real


@pytest.fixture
def proxy(lab: Lab) -> Iterator[Proxy]:
    found = Proxy(lab.mariadb.ports[0])
    yield found
    found.close()


@pytest.fixture
def behind(lab: Lab, proxy: Proxy) -> Iterator[Engine]:
    """An engine whose connections go through the proxy; one is open."""
    url = lab.mariadb.create_database(f"failover_{uuid4().hex[:8]}")
    found = open_engine(
        make_url(url).set(port=proxy.port).render_as_string(hide_password=False), one_trip=True
    )
    Base.metadata.create_all(found)
    yield found
    found.dispose()


def add(number: int, engine: Engine) -> None:
    def work(connection: Connection) -> None:
        THINGS.write(connection, [(number, None)])

    with engine.connect() as connection:
        in_transaction(connection, work, attempts=2)


def test_a_server_that_is_away_for_a_moment_costs_nobody_an_error(behind: Engine, proxy: Proxy) -> None:
    def be_away() -> None:
        with proxy.down():
            time.sleep(FAILOVER_SECONDS / 4)

    with behind.connect() as connection:
        absence = Thread(target=be_away)
        absence.start()
        in_transaction(connection, lambda mine: THINGS.write(mine, [(1, None)]), attempts=2)
        absence.join()

    assert [row[0] for row in things(behind)] == [1]


def test_a_server_that_stays_away_is_waited_for_no_longer(behind: Engine, proxy: Proxy) -> None:
    began = time.monotonic()
    with behind.connect() as connection, proxy.down():
        with pytest.raises(OperationalError):
            in_transaction(connection, lambda mine: THINGS.write(mine, [(1, None)]), attempts=2)
        waited = time.monotonic() - began

        with pytest.raises(OperationalError):
            add(2, behind)
        refused = time.monotonic() - began - waited

    assert FAILOVER_SECONDS <= waited < waiting.seconds(FAILOVER_SECONDS + 1)
    assert refused < waiting.seconds(0.5)
    assert things(behind) == []
