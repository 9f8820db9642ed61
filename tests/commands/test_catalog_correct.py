"""`catalog correct`: pieces leave the stock or come back to it, once for each note."""

import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from orders_service import endings
from orders_service.commands.catalog import main
from rig.databases import Databases
from tests.commands.test_catalog import assert_adds_up, assert_refused, assert_said
from tests.flow_kit import BERLIN, Flow


@pytest.fixture
def clerk(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal beside the catalog's database."""
    monkeypatch.setenv("CATALOG_DATABASE_URL", databases.catalog_url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return CliRunner()


def correct(clerk: CliRunner, *words: str) -> Result:
    return clerk.invoke(main, ["correct", *words])


def supplied(databases: Databases) -> list[int]:
    with databases.catalog.connect() as connection:
        found = connection.scalars(text("SELECT qty FROM supplies WHERE product_id = 'CATALOG-001'"))
        return sorted(found)


@pytest.mark.parametrize(
    ("qty", "said"), [("-3", "corrected by -3, 97 in stock"), ("+3", "corrected by +3, 103 in stock")]
)
def test_a_correction_changes_stock_and_supplies(
    clerk: CliRunner, databases: Databases, qty: str, said: str
) -> None:
    result = correct(clerk, BERLIN, qty, "--note", "broken in store")

    assert_said(result, f"CATALOG-001: {said}")
    assert supplied(databases) == sorted([100, int(qty)])
    assert_adds_up(databases)


def test_the_same_correction_again_changes_nothing(clerk: CliRunner, databases: Databases) -> None:
    correct(clerk, BERLIN, "-3", "--note", "broken")

    result = correct(clerk, BERLIN, "-3", "--note", "broken")

    assert_said(result, "CATALOG-001: already corrected under this note, 97 in stock")
    assert_adds_up(databases)


def test_the_note_of_a_delivery_is_no_note_of_a_correction(clerk: CliRunner, databases: Databases) -> None:
    clerk.invoke(main, ["supply", BERLIN, "50", "--note", "4711"])

    result = correct(clerk, BERLIN, "-3", "--note", "4711")

    assert_refused(result, 1, "this note was used before, for 50 pieces and not -3")
    assert_adds_up(databases)


def test_more_than_the_stock_is_refused_with_stock_and_reserved(clerk: CliRunner, flow: Flow) -> None:
    flow.place(qty=98)
    flow.run()

    result = correct(clerk, BERLIN, "-3", "--note", "broken")

    assert_refused(result, 1, "CATALOG-001 cannot be corrected by -3: 2 in stock, 98 reserved for orders")
    assert flow.stock() == 2
    flow.assert_stock_adds_up()


def test_a_reservation_can_still_be_released_after_a_correction(clerk: CliRunner, flow: Flow) -> None:
    order = flow.place(qty=98)
    flow.run()

    assert correct(clerk, BERLIN, "-2", "--note", "broken").exit_code == 0
    flow.cancel(order)
    flow.run()

    assert flow.stock() == 98
    flow.assert_stock_adds_up()


def test_an_unknown_product_is_refused(clerk: CliRunner) -> None:
    assert_refused(correct(clerk, "LAMP", "-1", "--note", "n"), 1, "product LAMP does not exist")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((BERLIN, "--3", "--note", "n"), "'--3' is not a difference with its sign"),
        ((BERLIN, "3", "--note", "n"), "Write -3 for three pieces less or +3 for three more"),
        ((BERLIN, "-0", "--note", "n"), "is not a difference with its sign"),
        ((BERLIN, "-1.5", "--note", "n"), "is not a difference with its sign"),
        ((BERLIN, "-2147483648", "--note", "n"), "at most 2147483647 pieces"),
        ((BERLIN, "-3x", "--note", "n"), "No such option '-3x'"),
        ((BERLIN, "-x", "--note", "n"), "No such option '-x'"),
        ((BERLIN, "--nte", "n", "-3"), "Did you mean '--note'?"),
        ((BERLIN, "-3"), "Missing option '--note'"),
        ((BERLIN, "-3", "--note", " "), "it must be a string of 1 to 255 characters"),
        ((BERLIN, "-3", "-4", "--note", "n"), "unexpected extra argument (-4)"),
        (("-3", "--note", "n"), "Missing argument 'QTY'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_of_usage_is_explained(words: tuple[str, ...], said: str) -> None:
    assert_refused(correct(CliRunner(), *words), 2, said)


def test_a_value_may_begin_with_a_hyphen(clerk: CliRunner, databases: Databases) -> None:
    result = correct(clerk, "--note", "-9", BERLIN, "-3")

    assert_said(result, "CATALOG-001: corrected by -3, 97 in stock")


@pytest.mark.parametrize("qty", ["0", "-1", "-50"])
def test_a_delivery_below_1_points_to_correct(clerk: CliRunner, databases: Databases, qty: str) -> None:
    result = clerk.invoke(main, ["supply", BERLIN, qty, "--note", "n"])

    assert_refused(result, 2, "To lower the stock, use: orders-service catalog correct")
    assert supplied(databases) == [100]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.one_of(st.from_regex(r"[-+=a-z0-9. ]{0,8}", fullmatch=True), st.text(max_size=5))))
def test_no_words_cause_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))

    result = CliRunner().invoke(main, ["correct", "GHOST", *words])

    assert result.exit_code in (0, 1, 2), result.output
    assert isinstance(result.exception, SystemExit | FileNotFoundError | None), result.exception


def test_of_two_that_take_the_last_piece_one_succeeds(clerk: CliRunner, databases: Databases) -> None:
    correct(clerk, BERLIN, "-99", "--note", "all but one")
    codes: list[int] = []
    command, start = main.commands["correct"], threading.Barrier(2)

    def take(note: str) -> None:
        start.wait()
        codes.append(endings.end(lambda: command.main([BERLIN, "-1", "--note", note], standalone_mode=False)))

    threads = [threading.Thread(target=take, args=(note,)) for note in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [0, 1]
    assert supplied(databases) == [-99, -1, 100]
    assert_adds_up(databases)


def test_the_same_correction_at_the_same_time_is_applied_once(clerk: CliRunner, databases: Databases) -> None:
    command = main.commands["correct"]
    codes: list[int] = []

    def say() -> None:
        try:
            codes.append(command.main([BERLIN, "-60", "--note", "lost"], standalone_mode=False) or 0)
        except click.ClickException as error:
            codes.append(error.exit_code)

    threads = [threading.Thread(target=say) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [0] * 6
    assert supplied(databases) == [-60, 100]
    assert_adds_up(databases)
