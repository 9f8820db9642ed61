"""What was given up on can be seen, replayed, discarded; what was lost can be sent again."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orders_service.broker_client import BROKER_FILE
from orders_service.catalog.product import Reservation
from orders_service.commands import dead_letters, outbox
from orders_service.database.columns import utc_now
from orders_service.events.breaker import IN_A_ROW
from orders_service.events.brokers.port import Outgoing
from orders_service.events.dead_letters import keep
from orders_service.events.errors import HandlerFailed, TooManyDeadLetters
from orders_service.events.requeue import CHUNK, requeue_since
from orders_service.events.tables import OutboxRow
from rig.databases import Databases
from tests.flow_kit import BERLIN, TOKYO, Flow

TOPIC = "example-catalog-topic"


@pytest.fixture
def operator(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal, with the flow's settings."""
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    return CliRunner()


def order(order_id: str, qty: int = 1, product: str = BERLIN) -> bytes:
    return json.dumps({"orderId": order_id, "productId": product, "qty": qty}).encode()


def send(flow: Flow, *values: bytes) -> None:
    """All to one partition."""
    flow.send([Outgoing(TOPIC, b"same", value) for value in values])


def assert_ok(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_dead_letters_are_listed_and_shown_whole(flow: Flow, operator: CliRunner) -> None:
    send(flow, order("a"), b"\xffnonsense")
    flow.run()

    listed = assert_ok(operator.invoke(dead_letters.main, ["list"]))
    place = listed.split()[0]
    shown = json.loads(assert_ok(operator.invoke(dead_letters.main, ["show", place])))

    assert place.startswith(f"{TOPIC}-")
    assert place.endswith("@1")
    assert shown["value"] == "\\xffnonsense"
    assert (shown["reason"], shown["resolution"]) == ("unreadable", None)


def test_a_letter_that_still_cannot_be_read_stays(flow: Flow, operator: CliRunner) -> None:
    send(flow, b"nonsense")
    flow.run()

    result = operator.invoke(dead_letters.main, ["replay", "--all"])

    assert result.exit_code == 1
    assert "not replayed, unreadable: " in result.output
    assert flow.dead_letters()[0].resolution is None


def test_a_letter_whose_handler_still_fails_stays_and_the_rest_is_replayed(
    flow: Flow, operator: CliRunner
) -> None:
    send(flow, order("a", product=BERLIN), order("b", product=TOKYO))
    flow.run()
    flow.sql("catalog", "UPDATE catalog SET product_id = REPLACE(product_id, 'CATALOG', 'GONE')")
    send(flow, order("a", -1, product=BERLIN), order("b", -1, product=TOKYO))
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET product_id = '{TOKYO}' WHERE product_id = 'GONE-002'")

    result = operator.invoke(dead_letters.main, ["replay", "--all"])

    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert "not replayed, handler-failed: KeyError: 'CATALOG-001'" in result.output
    assert "Error: 1 of 2 dead letters are still unresolved" in result.output
    assert [letter.resolution for letter in flow.dead_letters()] == [None, "replayed"]


def test_a_replayed_letter_is_applied_once_and_says_by_whom(flow: Flow, operator: CliRunner) -> None:
    send(flow, order("a", 5))
    flow.run()
    send(flow, order("a", 6))
    flow.run()
    with Session(flow.databases.catalog) as session:
        session.execute(update(Reservation).values(qty=6))
        session.commit()

    output = assert_ok(operator.invoke(dead_letters.main, ["replay", "--reason", "conflicting"]))

    (letter,) = flow.dead_letters()
    assert "replayed" in output
    assert letter.resolution == "replayed"
    assert letter.resolved_by
    assert letter.resolved_at


def test_a_discarded_order_is_answered_rejected_and_placed_again_it_stays_so(
    flow: Flow, operator: CliRunner
) -> None:
    order_id = flow.place(BERLIN, 2)
    flow.orders_relay.step()
    (record,) = flow.records(TOPIC)
    with Session(flow.databases.catalog) as session:
        keep(session, [(record, HandlerFailed("it stumbled"))], group="catalog-stock", clock=utc_now)
        session.commit()

    assert_ok(operator.invoke(dead_letters.main, ["discard", "--all"]))
    flow.run()

    assert flow.order(order_id)["status"] == "REJECTED"
    assert flow.order(order_id)["reason"] == "discarded"
    assert flow.stock(BERLIN) == 100


def test_a_cancellation_that_has_pieces_to_give_back_is_not_discarded(
    flow: Flow, operator: CliRunner
) -> None:
    send(flow, order("a", 5))
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET product_id = 'GONE' WHERE product_id = '{BERLIN}'")
    send(flow, order("a", -5), order("never placed", -1))
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET product_id = '{BERLIN}' WHERE product_id = 'GONE'")

    refused = operator.invoke(dead_letters.main, ["discard", "--all"])
    assert_ok(operator.invoke(dead_letters.main, ["replay", "--all"]))

    assert refused.exit_code == 1
    assert f"not discarded, release-due: order a may still have 5 × {BERLIN} reserved" in refused.output
    assert flow.stock(BERLIN) == 100
    flow.assert_stock_adds_up()


@pytest.mark.parametrize("state", ["RELEASED", "REJECTED", "VOID"])
def test_a_cancellation_that_has_nothing_to_give_back_is_discarded(
    flow: Flow, operator: CliRunner, state: str
) -> None:
    send(flow, order("a", 5))
    flow.run()
    flow.sql("catalog", f"UPDATE reservations SET state = '{state}', qty = 6")
    send(flow, order("a", -5))
    flow.run()

    assert_ok(operator.invoke(dead_letters.main, ["discard", "--all"]))

    assert flow.dead_letters()[0].resolution == "discarded"


def test_a_dry_run_does_nothing(flow: Flow, operator: CliRunner) -> None:
    send(flow, b"nonsense")
    flow.run()

    output = assert_ok(operator.invoke(dead_letters.main, ["discard", "--all", "--dry-run"]))

    assert "would be discarded" in output
    assert flow.dead_letters()[0].resolution is None


def test_too_many_dead_letters_in_a_row_stop_the_consumer(flow: Flow) -> None:
    send(flow, order("a"), *[b"nonsense"] * IN_A_ROW)

    with pytest.raises(TooManyDeadLetters, match="dead-letters list"):
        flow.stock_consumer.step()

    assert len(flow.dead_letters()) == IN_A_ROW
    assert flow.stock() == 99


def test_they_stop_it_though_good_records_follow_in_the_batch(flow: Flow, operator: CliRunner) -> None:
    send(flow, *[b"nonsense"] * IN_A_ROW, *[order(str(n)) for n in range(5)])

    with pytest.raises(TooManyDeadLetters, match="20 records"):
        flow.stock_consumer.step()
    send(flow, order("later"))
    flow.restart_stock_consumer()
    with pytest.raises(TooManyDeadLetters, match="20 records"):
        flow.stock_consumer.step()
    assert flow.stock() == 95

    assert_ok(operator.invoke(dead_letters.main, ["discard", "--all"]))
    flow.restart_stock_consumer()
    flow.run()
    assert flow.stock() == 94


def test_one_less_in_a_row_does_not(flow: Flow) -> None:
    send(flow, *[b"nonsense"] * (IN_A_ROW - 1), order("a"), *[b"nonsense"] * (IN_A_ROW - 1), order("b"))

    flow.run()

    assert flow.stock() == 98


def test_a_restart_does_not_make_the_consumer_forget_them(flow: Flow) -> None:
    send(flow, *[b"nonsense"] * IN_A_ROW)
    with pytest.raises(TooManyDeadLetters):
        flow.stock_consumer.step()
    send(flow, order("a"))

    flow.restart_stock_consumer()

    with pytest.raises(TooManyDeadLetters):
        flow.stock_consumer.step()
    assert flow.stock() == 100


def test_once_they_are_discarded_the_consumer_goes_on(flow: Flow, operator: CliRunner) -> None:
    send(flow, *[b"nonsense"] * IN_A_ROW)
    with pytest.raises(TooManyDeadLetters):
        flow.stock_consumer.step()
    send(flow, order("a"))

    assert_ok(operator.invoke(dead_letters.main, ["discard", "--all"]))
    flow.restart_stock_consumer()
    flow.run()

    assert flow.stock() == 99


def test_read_again_from_the_beginning_what_was_discarded_does_not_stop_it(
    flow: Flow, operator: CliRunner
) -> None:
    send(flow, *[b"nonsense"] * IN_A_ROW, order("a"))
    with pytest.raises(TooManyDeadLetters):
        flow.stock_consumer.step()
    assert_ok(operator.invoke(dead_letters.main, ["discard", "--all"]))

    with sqlite3.connect(Path(flow.settings.state_dir, BROKER_FILE)) as log:
        log.execute("DELETE FROM offsets")
    log.close()
    flow.restart_stock_consumer()
    flow.run()

    assert flow.stock() == 99


def test_the_outbox_list_tells_what_waits_and_what_was_refused(flow: Flow, operator: CliRunner) -> None:
    flow.place()
    flow.place()
    flow.sql("orders", "UPDATE outbox SET lane = NULL, error = 'too large' WHERE seq = 1")

    waits, refused = json.loads(assert_ok(operator.invoke(outbox.main, ["list", "--json"])))

    assert (waits["database"], waits["lane"], waits["pending"]) == ("orders", TOPIC, 1)
    assert (refused["error"], refused["type"]) == ("too large", "order.placed.v1")


def test_what_was_refused_can_go_out_again(flow: Flow, operator: CliRunner) -> None:
    order_id = flow.place()
    flow.sql("orders", "UPDATE outbox SET lane = NULL, error = 'too large'")

    assert_ok(operator.invoke(outbox.main, ["requeue", "--set-aside"]))
    flow.run()

    assert flow.status(order_id) == "CONFIRMED"


def test_any_number_of_refused_events_can_go_out_again(flow: Flow, operator: CliRunner) -> None:
    with Session(flow.databases.orders) as session:
        session.add_all(refused(number) for number in range(2 * CHUNK + 1))
        session.commit()

    output = assert_ok(operator.invoke(outbox.main, ["requeue", "--set-aside"]))

    rows = flow.outbox()
    assert output == f"{2 * CHUNK + 1} events of orders will be sent again\n"
    assert [row.aggregateid for row in rows] == [str(number) for number in range(2 * CHUNK + 1)]
    assert {(row.lane, row.error) for row in rows} == {(TOPIC, None)}


def refused(number: int) -> OutboxRow:
    """An event that the broker refused for good."""
    return OutboxRow(
        id=str(number),
        specversion="1.0",
        source="/order-service",
        type="order.placed.v1",
        aggregatetype="order",
        aggregateid=str(number),
        time="2026-11-24T07:06:15.292000Z",
        topic=TOPIC,
        key="lamp",
        payload="{}",
        created_at=utc_now(),
        lane=None,
        error="too large",
    )


def test_what_was_refused_is_a_new_row_for_debezium(
    flow: Flow, operator: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.place()
    flow.sql("orders", "UPDATE outbox SET lane = NULL, error = 'too large'")
    (refused,) = flow.outbox()
    monkeypatch.setenv("EVENTS_VIA", "cdc")

    output = assert_ok(operator.invoke(outbox.main, ["requeue", "--set-aside"]))

    (row,) = flow.outbox()
    assert output == "1 events of orders will be sent again\n"
    assert row.seq > refused.seq
    assert (row.id, row.lane, row.error) == (refused.id, None, None)


def test_everything_since_a_time_can_go_out_again_and_changes_nothing(
    flow: Flow, operator: CliRunner
) -> None:
    order_id = flow.place(BERLIN, 3)
    flow.run()

    output = assert_ok(operator.invoke(outbox.main, ["requeue", "--since", "2026-01-01"]))
    flow.run()

    assert output == "1 events of orders will be sent again\n"
    assert len({row.id for row in flow.outbox()}) == 1
    assert len(flow.records(TOPIC)) == 2
    assert (flow.status(order_id), flow.stock(BERLIN)) == ("CONFIRMED", 97)


def test_what_a_relay_has_in_hand_goes_out_again_too(flow: Flow, operator: CliRunner) -> None:
    order_id = flow.place(BERLIN, 3)

    assert_ok(operator.invoke(outbox.main, ["requeue", "--since", "2026-01-01"]))
    flow.sql("orders", "UPDATE outbox SET lane = NULL WHERE seq = 1")  # Acknowledged by a log that was lost.
    flow.run()

    assert flow.status(order_id) == "CONFIRMED"


def test_without_a_relay_requeued_events_are_new_rows_that_do_not_wait(flow: Flow) -> None:
    flow.place()
    flow.run()

    with Session(flow.databases.orders) as session:
        count = requeue_since(session, utc_now().replace(year=2020), pending=False)

    assert count == 1
    assert [row.lane for row in flow.outbox()] == [None, None]


def test_orders_without_an_answer_are_found_and_placed_again(flow: Flow, operator: CliRunner) -> None:
    order_id = flow.place(BERLIN, 3)
    flow.sql("orders", "DELETE FROM outbox")
    flow.run()
    assert flow.status(order_id) == "PENDING"

    assert_ok(operator.invoke(outbox.main, ["resend", "--pending-older-than", "0"]))
    flow.run()

    assert flow.status(order_id) == "CONFIRMED"
    assert flow.stock(BERLIN) == 97


def test_old_published_events_are_purged_and_no_others(flow: Flow, operator: CliRunner) -> None:
    for _ in range(4):
        flow.place()
    flow.run()
    flow.sql("orders", "UPDATE outbox SET published_at = '2026-01-01 00:00:00.000000' WHERE seq < 4")
    flow.sql("orders", "UPDATE outbox SET lane = topic, published_at = NULL WHERE seq = 1")
    flow.sql("orders", "UPDATE outbox SET error = 'too large' WHERE seq = 2")

    assert_ok(operator.invoke(outbox.main, ["purge"]))

    with Session(flow.databases.orders) as session:
        assert list(session.scalars(select(OutboxRow.seq).order_by(OutboxRow.seq))) == [1, 2, 4]


def test_without_a_relay_a_consumer_purges(databases: Databases, tmp_path: Path) -> None:
    with closing(Flow(databases, tmp_path, EVENTS_VIA="cdc")) as flow:
        flow.place()
        flow.place()
        flow.sql("orders", "UPDATE outbox SET created_at = '2026-01-01 00:00:00' WHERE seq = 1")

        flow.status_consumer.step()

        assert [row.seq for row in flow.outbox()] == [2]
