"""Dead letters on hold, and the selection of dead letters by their error."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from orders_service.commands import dead_letters
from orders_service.events import dead_letters as kept
from orders_service.events.breaker import IN_A_ROW
from orders_service.events.brokers.port import Outgoing
from orders_service.events.error_lines import error_line
from orders_service.events.errors import TooManyDeadLetters
from tests.flow_kit import BERLIN, Flow

TOPIC = "example-catalog-topic"


@pytest.fixture
def operator(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Someone at a terminal, with the flow's settings."""
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    return lambda *words: CliRunner().invoke(dead_letters.main, words)


def bury(flow: Flow, *values: bytes) -> list[str]:
    """Send records that cannot be read. The ids of all dead letters."""
    flow.send([Outgoing(TOPIC, b"same", value) for value in values])
    flow.run()
    return [f"{letter.topic}-{letter.partition}@{letter.offset}" for letter in flow.dead_letters()]


def counted(flow: Flow) -> tuple[int, int]:
    """The dead letters that wait, and those on hold."""
    with Session(flow.databases.catalog) as session:
        return kept.count(session), kept.count_on_hold(session)


def order(order_id: str) -> bytes:
    return json.dumps({"orderId": order_id, "productId": BERLIN, "qty": 1}).encode()


def test_a_letter_on_hold_is_listed_but_not_counted(flow: Flow, operator: Callable[..., Result]) -> None:
    first, _ = bury(flow, b"one", b"two")

    held = operator("hold", first, "--note", "asked the sender, ticket 412")

    listed = operator("list").output.splitlines()
    assert held.exit_code == 0, held.output
    assert held.output == f"{first} of catalog-stock: put on hold\n"
    assert len(listed) == 2
    assert "  on hold by " in listed[0]
    assert listed[0].endswith(": asked the sender, ticket 412")
    assert counted(flow) == (1, 1)


def test_replay_and_discard_of_all_leave_letters_on_hold_alone(
    flow: Flow, operator: Callable[..., Result]
) -> None:
    first, second = bury(flow, b"one", b"two")
    operator("hold", first)

    discarded = operator("discard", "--all")
    nothing = operator("discard", "--reason", "unreadable")

    assert discarded.output == f"{second} of catalog-stock: discarded\n"
    assert "Those on hold are left alone" in nothing.output
    assert counted(flow) == (0, 1)


@pytest.mark.parametrize("words", [["--all", "--held"], ["RECORD"]])
def test_a_letter_on_hold_that_is_meant_is_discarded(
    flow: Flow, operator: Callable[..., Result], words: list[str]
) -> None:
    (record,) = bury(flow, b"one")
    operator("hold", record)

    operator("discard", *(record if word == "RECORD" else word for word in words))

    assert [letter.resolution for letter in flow.dead_letters()] == ["discarded"]


def test_a_released_letter_waits_again(flow: Flow, operator: Callable[..., Result]) -> None:
    (record,) = bury(flow, b"one")
    operator("hold", record, "--note", "later")

    released = operator("release", record)
    again = operator("release", record)

    assert released.output == f"{record} of catalog-stock: released\n"
    assert (again.exit_code, "does not exist or is not on hold" in again.output) == (1, True)
    assert counted(flow) == (1, 0)
    assert flow.dead_letters()[0].note is None


def test_a_resolved_letter_cannot_be_put_on_hold(flow: Flow, operator: Callable[..., Result]) -> None:
    (record,) = bury(flow, b"one")
    operator("discard", record)

    held = operator("hold", record)

    assert held.exit_code == 1
    assert flow.dead_letters()[0].held_at is None


def test_a_note_is_kept_with_a_letter_that_is_discarded(flow: Flow, operator: Callable[..., Result]) -> None:
    bury(flow, b"one")

    operator("discard", "--all", "--note", "a test of the producer")

    (listed,) = json.loads(operator("list", "--state", "discarded", "--json").output)
    assert (listed["state"], listed["note"]) == ("discarded", "a test of the producer")


def test_letters_with_one_error_are_selected(flow: Flow, operator: Callable[..., Result]) -> None:
    bury(flow, b'{"orderId": "a" x', b'{"orderId": "long id" x', b"[]")
    listed = json.loads(operator("groups", "--json").output)

    discarded = operator("discard", "--error", listed[0]["error"])

    assert [(group["count"], group["onHold"]) for group in listed] == [(2, 0), (1, 0)]
    assert listed[0]["error"].endswith("Expecting ',' delimiter: line … column … (char …)")
    assert discarded.output.count("discarded") == 2
    assert [letter.resolution for letter in flow.dead_letters()] == ["discarded", "discarded", None]


def test_a_dry_run_of_hold_changes_nothing(flow: Flow, operator: Callable[..., Result]) -> None:
    (record,) = bury(flow, b"one")

    tried = operator("hold", "--all", "--dry-run")

    assert tried.output == f"{record} of catalog-stock: would be put on hold\n"
    assert counted(flow) == (1, 0)


def test_a_run_of_letters_that_are_on_hold_stops_no_consumer(
    flow: Flow, operator: Callable[..., Result]
) -> None:
    with pytest.raises(TooManyDeadLetters):
        bury(flow, *[b"nonsense"] * IN_A_ROW)
    operator("hold", "--all", "--note", "the producer is repaired")
    flow.restart_stock_consumer()

    bury(flow, order("good"))

    assert flow.stock() == 99


@pytest.mark.parametrize(
    ("detail", "line"),
    [
        ("not JSON in UTF-8: line 1 column 40 (char 39)", "not JSON in UTF-8: line … column … (char …)"),
        ("order b was recorded with 2 × A, not 3 × A", "order … was recorded with … × A, not … × A"),
        ("order.placed.v2: this consumer does not know", "order.placed.v2: this consumer does not know"),
        ("KeyError: 'CATALOG-001'", "KeyError: '…'"),
        (r"first\nsecond", "first"),
        ("a" * 300, "a" * 200),
        ("", ""),
    ],
)
def test_the_error_line_has_neither_ids_nor_numbers(detail: str, line: str) -> None:
    assert error_line(detail) == line
    assert error_line(line) == line
