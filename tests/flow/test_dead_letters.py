"""Dead letters: how much they may take, whose they are, and what it costs to look at them."""

import json
import os
import pwd
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from orders_service.commands import dead_letters
from orders_service.contract.errors import Unreadable
from orders_service.database.columns import utc_now
from orders_service.events.breaker import IN_A_ROW
from orders_service.events.brokers.port import Outgoing, Record
from orders_service.events.dead_letter_search import CHUNK, Filter, find
from orders_service.events.dead_letters import ByteLimit, keep
from orders_service.events.errors import DeadLettersFull, HandlerFailed, TooManyDeadLetters
from rig.databases import Databases
from tests.flow_kit import BERLIN, Flow

TOPIC = "example-catalog-topic"
MIB = 1_048_576


@pytest.fixture
def operator(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Someone at a terminal, with the flow's settings."""
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    return lambda *words: CliRunner().invoke(dead_letters.main, words)


def record(offset: int, value: bytes = b"x", *, timestamp: int = 1) -> Record:
    return Record(TOPIC, 0, offset, timestamp, b"k", value, (("h", None), ("h", b"\xff")))


def order(order_id: str) -> bytes:
    return json.dumps({"orderId": order_id, "productId": BERLIN, "qty": 1}).encode()


def bury(flow: Flow, *records: Record, group: str = "catalog-stock", engine: str = "catalog") -> None:
    with Session(flow.databases.engines[engine]) as session:
        keep(session, [(one, HandlerFailed("it stumbled")) for one in records], group=group, clock=utc_now)
        session.commit()


def peak_bytes(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_two_groups_keep_the_same_record(flow: Flow, operator: Callable[..., Result]) -> None:
    bury(flow, record(0, order("a")))
    bury(flow, record(0, order("a")), group="another")

    listed = operator("list")

    assert len(flow.dead_letters()) == 2
    assert f"{TOPIC}-0@0  catalog-stock  handler-failed" in listed.output
    assert f"{TOPIC}-0@0  another  handler-failed" in listed.output


def test_a_record_of_a_topic_that_was_created_again_is_another_letter(
    flow: Flow, operator: Callable[..., Result]
) -> None:
    """Offsets begin at 0 again; the timestamps differ."""
    bury(flow, record(0, timestamp=1))
    operator("discard", "--all")

    bury(flow, record(0, timestamp=1))
    bury(flow, record(0, timestamp=2))

    assert [letter.resolution for letter in flow.dead_letters()] == ["discarded", None]


def test_a_letter_of_an_unknown_group_is_not_replayed_and_named(
    flow: Flow, operator: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(flow, record(0, order("a")))
    bury(flow, record(0, order("a")), group="another")

    refused = operator("replay", "--all")
    monkeypatch.setenv("STOCK_GROUP", "another")
    replayed = operator("replay", f"{TOPIC}-0@0", "--group", "another")

    assert refused.exit_code == 1
    assert "of another: not replayed, its group is neither catalog-stock nor orders-status" in refused.output
    assert replayed.exit_code == 0, replayed.output
    assert {letter.resolution for letter in flow.dead_letters()} == {"replayed"}
    assert flow.stock() == 99


@pytest.mark.parametrize("word", ["replay", "discard"])
def test_a_letter_is_not_given_to_the_handler_of_another_database(
    flow: Flow, operator: Callable[..., Result], word: str
) -> None:
    bury(flow, record(0, order("a")), engine="orders")

    refused = operator(word, "--all")

    assert refused.exit_code == 1
    assert "its group belongs to the catalog database" in refused.output


@pytest.mark.parametrize("word", ["show", "replay", "discard"])
@pytest.mark.parametrize("record_id", ["5", f"{TOPIC}-0@9", f"{TOPIC}-x@1", "\x1b[2J", f"{TOPIC}-0@{10**30}"])
def test_a_place_without_a_letter_is_told_with_a_code(
    operator: Callable[..., Result], word: str, record_id: str
) -> None:
    result = operator(word, record_id)

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output


def test_a_user_without_a_name_is_recorded_by_number(
    flow: Flow, operator: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(flow, record(0, order("a")))
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # As in a container whose user has no entry.

    replayed = operator("replay", "--all")

    assert replayed.exit_code == 0, replayed.output
    assert [str(letter.resolved_by).startswith(f"uid {os.getuid()}@") for letter in flow.dead_letters()] == [
        True
    ]


def test_looking_at_letters_does_not_read_what_they_hold(flow: Flow, operator: Callable[..., Result]) -> None:
    bury(flow, *(record(n, bytes(900_000)) for n in range(20)))
    operator("list")  # What is imported and compiled once does not count.

    listing = peak_bytes(lambda: operator("list", "--all"))
    showing = peak_bytes(lambda: operator("replay", f"{TOPIC}-0@7"))

    assert listing < 1_000_000
    assert showing < 9_000_000


def test_every_letter_is_listed_once_in_the_order_of_the_log(flow: Flow, databases: Databases) -> None:
    count = 2 * CHUNK + 3
    for group in ("one", "two"):
        bury(flow, *(record(n // 3, timestamp=-(n % 3)) for n in range(count)), group=group)

    with Session(databases.catalog) as session:
        letters = list(find(session, Filter()))

    keys = [(one.offset, one.record_timestamp, one.group) for one in letters]
    assert len(keys) == 2 * count
    assert keys == sorted(set(keys))


def test_a_list_has_a_limit_and_is_json_for_a_script(flow: Flow, operator: Callable[..., Result]) -> None:
    bury(flow, *map(record, range(5)))

    listed = json.loads(operator("list", "--json", "--limit", "2").output)

    assert [letter["record"] for letter in listed] == [f"{TOPIC}-0@0", f"{TOPIC}-0@1"]
    assert json.loads(operator("list", "--json", "--reason", "none").output) == []


def test_headers_of_one_name_and_without_a_value_are_shown(
    flow: Flow, operator: Callable[..., Result]
) -> None:
    bury(flow, record(0))

    shown = json.loads(operator("show", f"{TOPIC}-0@0").output)

    assert shown["headers"] == [["h", None], ["h", "\\xff"]]


def test_dead_letters_stop_the_consumer_before_they_fill_the_database(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(databases, tmp_path, DEAD_LETTERS_MAX_BYTES=str(MIB))
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    some = [*[b"x" * 100_000] * 5, order("good")]
    flow.send([Outgoing(TOPIC, b"same", value) for value in [*some, *some, *some, order("last")]])
    for _ in range(2):  # Started again, it stops again.
        with pytest.raises(
            DeadLettersFull, match=r"DEAD_LETTERS_MAX_BYTES is 1048576.*discard --all`, or increase"
        ):
            flow.run()
        flow.restart_stock_consumer()
    assert len(flow.dead_letters()) == 10  # Those that fit are kept, so that the operator can discard them.

    CliRunner().invoke(dead_letters.main, ["discard", "--all"], catch_exceptions=False)
    flow.run()

    assert len(flow.dead_letters()) == 15
    assert flow.stock() == 98
    flow.close()


def test_the_room_counts_what_others_wrote_and_what_was_resolved(
    flow: Flow, operator: Callable[..., Result]
) -> None:
    limit = ByteLimit(MIB)

    def write(offset: int) -> None:
        with Session(flow.databases.catalog) as session:
            refused = [(record(offset, bytes(300_000)), Unreadable("x"))]
            keep(session, refused, group="catalog-stock", clock=utc_now, limit=limit)
            session.commit()

    write(0)
    bury(flow, record(1, bytes(300_000)), record(2, bytes(300_000)))
    with pytest.raises(DeadLettersFull):
        write(3)
    operator("discard", "--all")
    write(3)

    assert len(flow.dead_letters()) == 4


def test_records_of_unknown_types_end_no_run(flow: Flow) -> None:
    """19 unreadable records and one of an unknown type, again and again, would never stop the consumer."""
    bad = [Outgoing(TOPIC, b"same", b"nonsense")] * (IN_A_ROW - 1)
    unknown = Outgoing(TOPIC, b"same", b"{}", (("ce_type", b"invoice.sent.v1"),))
    flow.send([*bad, unknown, *bad])

    with pytest.raises(TooManyDeadLetters):
        flow.run()
