"""`catalog supply`: pieces come into stock and into the books, once."""

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.orm import Session

from orders_service.commands.catalog import main
from rig.databases import Databases
from rig.history import assert_stock_adds_up
from tests.flow_kit import BERLIN, Flow

NEW = ("--name", "Desk lamp", "--unit-price", "2500")


@pytest.fixture
def clerk(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal beside the catalog's database."""
    monkeypatch.setenv("CATALOG_DATABASE_URL", databases.catalog_url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return CliRunner()


def supply(clerk: CliRunner, *words: str) -> Result:
    return clerk.invoke(main, ["supply", *words])


def assert_said(result: Result, said: str) -> None:
    assert (result.exit_code, result.output) == (0, f"{said}\n")


def assert_refused(result: Result, code: int, said: str) -> None:
    assert result.exit_code == code, result.output
    assert said in result.output


def assert_adds_up(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        assert_stock_adds_up(session)


def test_a_delivery_comes_into_stock_and_the_books(clerk: CliRunner, databases: Databases) -> None:
    result = supply(clerk, BERLIN, "50", "--note", "4711")

    assert_said(result, "CATALOG-001: 50 supplied, 150 in stock")
    assert_adds_up(databases)


def test_the_same_delivery_again_adds_nothing(clerk: CliRunner, databases: Databases) -> None:
    supply(clerk, BERLIN, "50", "--note", "4711")

    result = supply(clerk, BERLIN, "50", "--note", "4711")

    assert_said(result, "CATALOG-001: already supplied under this note, 150 in stock")
    assert_adds_up(databases)


def test_another_number_under_the_same_note_is_refused(clerk: CliRunner, databases: Databases) -> None:
    supply(clerk, BERLIN, "50", "--note", "4711")

    result = supply(clerk, BERLIN, "60", "--note", "4711")

    assert_refused(result, 1, "this note was used before, for 50 pieces and not 60")
    assert_adds_up(databases)


@pytest.mark.usefixtures("databases")
def test_a_new_product_can_be_ordered(clerk: CliRunner, flow: Flow) -> None:
    first = supply(clerk, "LAMP", "20", "--note", "4712", *NEW)
    again = supply(clerk, "LAMP", "20", "--note", "4712", *NEW)
    order = flow.place("LAMP", 3)
    flow.run()

    assert_said(first, "LAMP: 20 supplied, 20 in stock")
    assert_said(again, "LAMP: already supplied under this note, 20 in stock")
    assert (flow.status(order), flow.stock("LAMP")) == ("CONFIRMED", 17)
    flow.assert_stock_adds_up()


@pytest.mark.parametrize("given", [(), NEW[:2], NEW[2:]])
def test_a_product_that_is_not_there_needs_name_and_price(clerk: CliRunner, given: tuple[str, ...]) -> None:
    assert_refused(supply(clerk, "LAMP", "20", "--note", "4712", *given), 1, "--name and --unit-price")


def test_a_product_that_is_there_keeps_name_and_price(clerk: CliRunner, databases: Databases) -> None:
    assert_refused(
        supply(clerk, BERLIN, "20", "--note", "4712", *NEW), 1, "Leave out --name and --unit-price"
    )
    assert_adds_up(databases)


@pytest.mark.parametrize(
    "words",
    [
        (BERLIN, "0", "--note", "n"),
        (BERLIN, "2147483648", "--note", "n"),
        (BERLIN, "many", "--note", "n"),
        (BERLIN, "1"),
        (BERLIN, "1", "--note", " "),
        (BERLIN, "1", "--note", "n" * 256),
        ("", "1", "--note", "n"),
        ("L" * 121, "1", "--note", "n"),
        ("LAMP\n", "1", "--note", "n"),
        ("LAMP", "1", "--note", "n", "--name", "Lamp", "--unit-price", "-1"),
    ],
)
def test_what_cannot_be_is_refused(clerk: CliRunner, words: tuple[str, ...]) -> None:
    result = supply(clerk, *words)

    assert_refused(result, 2, "Error: ")


@pytest.mark.parametrize("words", [(BERLIN, "1"), ("LAMP", "1", *NEW)], ids=["delivery", "product"])
def test_said_by_many_at_once_it_is_added_once(
    clerk: CliRunner, databases: Databases, words: tuple[str, ...]
) -> None:
    results: list[int] = []
    command = main.commands["supply"]

    def say() -> None:
        results.append(command.main([*words, "--note", "4711"], standalone_mode=False) or 0)

    threads = [threading.Thread(target=say) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [0] * 8
    with databases.catalog.connect() as connection:
        assert connection.scalar(text("SELECT SUM(qty) FROM supplies WHERE note = '4711'")) == 1
    assert_adds_up(databases)
