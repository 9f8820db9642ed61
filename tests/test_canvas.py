"""The page of the two services names their processes, events and tables, and only metrics that exist."""

import re
from pathlib import Path

import pytest

from orders_service.catalog.product import CatalogBase
from orders_service.contract.reading import BY_TYPE
from orders_service.events.tables import EventsBase
from orders_service.orders.order import OrdersBase
from orders_service.processes import PROCESSES, Process

PAGE = (Path(__file__).resolve().parents[1] / "docs/canvas.md").read_text()
METRICS = (Path(__file__).resolve().parents[1] / "docs/metrics.md").read_text()
ORDERS, CATALOG = (part.partition("\n## ")[0] for part in PAGE.split("\n## ")[1:])


def named(part: str) -> set[str]:
    """What is written as code in a part of the page."""
    return set(re.findall("`([^`]+)`", part))


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.command)
def test_a_process_is_named_with_each_service_whose_database_it_uses(process: Process) -> None:
    for database, part in (("orders", ORDERS), ("catalog", CATALOG)):
        assert (process.command in named(part)) == (database in process.databases)


def test_both_services_send_or_read_every_event() -> None:
    for part in (ORDERS, CATALOG):
        assert BY_TYPE.keys() <= named(part)


@pytest.mark.parametrize(("base", "part"), [(OrdersBase, ORDERS), (CatalogBase, CATALOG)])
def test_a_service_names_its_tables(base: type[OrdersBase] | type[CatalogBase], part: str) -> None:
    assert base.metadata.tables.keys() | EventsBase.metadata.tables.keys() <= named(part)


def test_the_metrics_that_it_names_exist() -> None:
    found = [name for name in named(PAGE) if name.startswith("orders_")]

    assert found
    assert set(found) <= named(METRICS)
