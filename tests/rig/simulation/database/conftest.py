"""Two empty databases, simulated and real, and clients of them."""

from collections.abc import Iterator

import pytest

from orders_service.database import bounds
from orders_service.processes import DatabaseName
from rig.databases import databases_in
from tests.rig.simulation.clients import Open, Player, RealStage, SimulatedStage, Stage
from tests.rig.simulation.work import (
    CHAIR,
    LAMP,
    place,
    supply,
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine does not end a wait. The tests of time-outs set shorter ones."""
    monkeypatch.setattr(bounds, "LOCK_SECONDS", 300)
    monkeypatch.setattr(bounds, "IDLE_TRANSACTION_SECONDS", 600)


@pytest.fixture(params=["simulated", pytest.param("mariadb", marks=pytest.mark.real)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Two empty databases: the simulated ones and, once more, real ones."""
    if request.param == "simulated":
        simulated = SimulatedStage()
        yield simulated
        simulated.close()
        return
    lab = request.getfixturevalue("lab")
    with databases_in(lab) as databases:
        real = RealStage(lab.mariadb, databases)
        yield real
        real.close()


@pytest.fixture
def client(stage: Stage) -> Open:
    """A function that opens a client."""

    def open_(database: DatabaseName, *, hold_inserts: bool = False, autocommit: bool = False) -> Player:
        return Player(stage, stage.open(database, hold_inserts=hold_inserts, autocommit=autocommit))

    return open_


@pytest.fixture
def shop(client: Open) -> Open:
    """A function that opens a client of a catalog with five lamps and five chairs."""
    stocker = client("catalog")
    for product in (LAMP, CHAIR):
        stocker.do(supply(product, 5))
    stocker.commit()
    return lambda **options: client("catalog", **options)


@pytest.fixture
def office(client: Open) -> Open:
    """A function that opens a client of orders, of which one is PENDING."""
    customer = client("orders")
    customer.do(place("first"))
    customer.commit()
    return lambda **options: client("orders", **options)
