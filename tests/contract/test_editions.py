"""The records and settings of the course's editions. `editions/README.md` says where each comes from."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from orders_service import environment
from orders_service.catalog import service
from orders_service.contract.events import OrderPlaced
from orders_service.contract.reading import read_event
from orders_service.contract.sink import SinkRecord
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Outgoing
from orders_service.settings import Settings, names, secrets
from rig.databases import Databases
from tests.flow_kit import BERLIN, PRICES, Flow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "config/editions"
RECORDS = Path(__file__).with_name("editions")
ORDER_ID = "3f1c8f4e-9d8a-4d0b-9b57-0a7b0f6f7a11"
# The topic and the product of the record of each edition that sends one.
SENT = {
    "2021": ("example-catalog-topic", "CATALOG-003"),
    "springboot3.2_k8s": ("example-catalog-topic", "CATALOG-003"),
    "book-2026": ("example-orders-topic", "PRODUCT-003"),
}


def record(name: str) -> bytes:
    """The value of an edition's record."""
    return (RECORDS / f"{name}.json").read_bytes().rstrip(b"\n")


def settings_of(edition: str) -> dict[str, str]:
    """The variables that a shell has after it has read the edition's settings."""
    path = SETTINGS / f"{edition}.env"
    done = subprocess.run(
        ["sh", "-c", f"set -a && . '{path}' && env"], env={}, capture_output=True, text=True, check=True
    )
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return {name: value for name, value in variables.items() if name not in ("PWD", "SHLVL", "_", "OLDPWD")}


def order(product: str) -> dict[str, Any]:
    """The facts of the order that all these records are about."""
    ids = {"order_id": ORDER_ID, "product_id": product, "user_id": "kim"}
    return ids | {"qty": 10, "unit_price": 1200, "total_price": 12000}


def supply(flow: Flow, product: str, qty: int) -> None:
    """Add a product, as `catalog supply` does."""
    with Session(flow.databases.catalog) as session:
        service.supply(
            session, product, qty, note="edition", name="Stockholm", unit_price=2000, now=utc_now()
        )
        session.commit()


def as_the_course_reads_it(value: bytes) -> tuple[str, int]:
    """The product, and what is taken from its stock, as in `KafkaConsumer` and `OrderConsumerService`.

    Both editions have the same rules: the value is a JSON object, `productId` is cast to String and `qty` to
    Integer, and nothing else is read.
    """
    fields = json.loads(value)
    product, qty = fields["productId"], fields["qty"]
    assert type(product) is str
    assert type(qty) is int
    assert -(2**31) <= qty < 2**31
    return product, qty


@pytest.fixture(params=SENT)
def edition_flow(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[tuple[str, Flow]]:
    """An edition, and the flow with its settings."""
    flow = Flow(databases, tmp_path, **settings_of(request.param))
    yield request.param, flow
    flow.close()


@pytest.mark.parametrize("path", sorted(SETTINGS.iterdir()), ids=lambda path: path.stem)
def test_the_settings_of_an_edition_are_settings(path: Path) -> None:
    variables = settings_of(path.stem)

    settings = Settings.read(variables)

    assert path.suffix == ".env"
    assert variables
    assert variables.keys() <= set(names())
    assert list(environment.misspelt(variables, names(), secrets())) == []
    assert {name: str(getattr(settings, name.lower())) for name in variables} == variables


@pytest.mark.parametrize("edition", SENT)
def test_the_settings_of_an_edition_name_its_topic(edition: str) -> None:
    settings = Settings.read(settings_of(edition))

    assert settings.catalog_topic == SENT[edition][0]


@pytest.mark.parametrize("edition", SENT)
def test_the_record_of_an_edition_is_an_order_placed(edition: str) -> None:
    event = read_event(None, record(edition))

    assert event == OrderPlaced(**order(SENT[edition][1]))


def test_the_record_of_an_edition_takes_stock(edition_flow: tuple[str, Flow]) -> None:
    edition, flow = edition_flow
    topic, product = SENT[edition]
    if product not in PRICES:
        supply(flow, product, 120)

    flow.send([Outgoing(topic, None, record(edition), ())])
    flow.run()

    assert flow.stock(product) == 110
    assert flow.dead_letters() == []


@pytest.mark.parametrize("edition", ["2021", "springboot3.2_k8s"])
def test_our_value_is_the_editions_to_the_byte(edition: str) -> None:
    ours = OrderPlaced(**order("CATALOG-003")).data()

    assert json.dumps(ours, separators=(",", ":")).encode() == record(edition)


def test_our_value_has_the_members_of_the_book_but_for_its_payment() -> None:
    book = json.loads(record("book-2026"))

    ours = OrderPlaced(**order("PRODUCT-003")).data()

    assert list(book) == [*list(ours)[:4], "paymentStatus", "paymentDate", *list(ours)[4:]]
    assert {name: book[name] for name in ours} == ours


def test_our_record_for_the_sink_is_the_editions_to_the_byte() -> None:
    ours = SinkRecord(**order("CATALOG-003")).data()

    assert json.dumps(ours, separators=(",", ":")).encode() == record("2021-orders")


def test_the_readers_of_all_editions_take_our_records(edition_flow: tuple[str, Flow]) -> None:
    edition, flow = edition_flow
    flow.cancel(flow.place(BERLIN, 2))
    flow.run()

    taken = [as_the_course_reads_it(each.value or b"") for each in flow.records(SENT[edition][0])]

    assert taken == [(BERLIN, 2), (BERLIN, -2)]
