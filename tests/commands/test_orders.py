"""`orders list|show`: what an operator sees of the orders, and where one is stuck."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import event
from sqlalchemy.engine import Engine

from orders_service.commands.orders import main
from tests.flow_kit import BERLIN, TOKYO, Flow


@pytest.fixture
def operator(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal beside the orders database, and no other."""
    monkeypatch.setenv("ORDERS_DATABASE_URL", flow.databases.orders_url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return CliRunner()


def run(operator: CliRunner, *words: str, code: int = 0) -> Result:
    result = operator.invoke(main, words)
    assert result.exit_code == code, result.output
    return result


def ids(operator: CliRunner, *words: str) -> list[str]:
    return [order["orderId"] for order in json.loads(run(operator, "list", "--json", *words).stdout)]


def test_orders_are_listed_in_an_aligned_table(operator: CliRunner, flow: Flow) -> None:
    confirmed, rejected = flow.place(BERLIN, 3), flow.place(TOKYO, 1000)
    flow.run()

    head, *lines = run(operator, "list").output.splitlines()

    assert head.split() == ["ORDER", "STATUS", "PLACED", "USER", "PRODUCT", "QTY", "TOTAL", "REASON"]
    assert [line.split()[:2] for line in lines] == [[rejected, "REJECTED"], [confirmed, "CONFIRMED"]]
    for column, value in (("STATUS", "REJECTED"), ("USER", "kim"), ("PRODUCT", TOKYO), ("REASON", "insuff")):
        assert lines[0][head.index(column) :].startswith(value)
    assert lines[1].endswith("     3     4500")
    assert lines[0].split()[-3:] == ["1000", "1000000", "insufficient-stock"]


def test_nothing_is_changed_and_no_writer_is_waited_for(operator: CliRunner, flow: Flow) -> None:
    order = flow.place()
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    with flow.databases.orders.begin() as writer:
        writer.exec_driver_sql("UPDATE orders SET version = 7")
        event.listen(Engine, "before_cursor_execute", note)

        run(operator, "list")
        run(operator, "show", order)

        event.remove(Engine, "before_cursor_execute", note)
    assert len(statements) >= 3
    assert [s for s in statements if not s.startswith("SELECT") and s != "BEGIN"] == []


def test_filters_select_orders(operator: CliRunner, flow: Flow) -> None:
    first, second = flow.place(), flow.place()
    flow.run()
    third = flow.place()

    assert ids(operator) == [third, second, first]
    assert ids(operator, "--status", "pending") == [third]
    assert ids(operator, "--status", "CONFIRMED", "--limit", "1") == [second]
    assert ids(operator, "--user", "nobody") == []
    assert ids(operator, "--older-than", "0") == [first, second, third]
    assert ids(operator, "--older-than", "3600") == []


def test_a_list_that_is_cut_says_so_on_stderr(operator: CliRunner, flow: Flow) -> None:
    flow.place()
    flow.place()

    cut, whole = run(operator, "list", "--limit", "1"), run(operator, "list", "--limit", "2")

    assert cut.stderr == "More orders match. To see more than 1, use --limit.\n"
    assert whole.stderr == ""


def test_without_orders_there_is_a_sentence_or_an_empty_array(operator: CliRunner) -> None:
    assert run(operator, "list").output == "No orders.\n"
    assert run(operator, "list", "--json").output == "[]\n"


def test_an_order_is_shown_with_its_facts_and_events(operator: CliRunner, flow: Flow) -> None:
    order = flow.place(BERLIN, 3)
    flow.run()
    flow.cancel(order)

    lines = run(operator, "show", order).output.splitlines()

    assert "product id   CATALOG-001" in lines
    assert "qty          3" in lines
    assert "status       CANCELLED" in lines
    assert any(line.startswith("changed") and line.endswith("version 3") for line in lines)
    placed, cancelled = [line.split() for line in lines if ".v1" in line]
    assert (placed[1], placed[-3]) == ("order.placed.v1", "sent")
    assert (cancelled[1], cancelled[-1]) == ("order.cancelled.v1", "pending")


def test_scripts_get_an_order_with_its_events(operator: CliRunner, flow: Flow) -> None:
    order = flow.place(BERLIN, 3)
    flow.run()

    found = json.loads(run(operator, "show", order, "--json").output)

    (sent,) = found.pop("events")
    times = {found.pop("createdAt"), found.pop("updatedAt")}
    assert len(times) == 2
    assert found == {
        **{"productId": BERLIN, "qty": 3, "unitPrice": 1500, "totalPrice": 4500, "orderId": order},
        **{"userId": "kim", "status": "CONFIRMED", "reason": None, "version": 2},
    }
    assert (sent["type"], sent["pending"], sent["error"]) == ("order.placed.v1", False, None)
    assert sent["publishedAt"] >= sent["createdAt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("", "orders-relay has not sent every event yet"),
        (
            "UPDATE outbox SET lane = NULL, error = 'too large'",
            "outbox requeue --database orders --set-aside",
        ),
        ("DELETE FROM outbox", "outbox resend --pending-older-than SECONDS"),
        ("UPDATE outbox SET lane = NULL", "The catalog has not answered yet"),
    ],
)
def test_an_order_that_is_stuck_says_where(operator: CliRunner, flow: Flow, change: str, said: str) -> None:
    order = flow.place()
    if change:
        flow.sql("orders", change)

    assert said in run(operator, "show", order).output.splitlines()[-1]


def test_an_order_that_was_sent_again_shows_each_time(operator: CliRunner, flow: Flow) -> None:
    order, other = flow.place(), flow.place()
    flow.run()
    flow.sql(
        "orders",
        "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time,"
        " topic, `key`, payload, created_at) SELECT id, specversion, source, type, aggregatetype,"
        " aggregateid, time, topic, `key`, payload, created_at FROM outbox",
    )

    found = json.loads(run(operator, "show", order, "--json").output)

    assert [event["type"] for event in found["events"]] == ["order.placed.v1"] * 2
    assert found["orderId"] != other


def test_an_unknown_order_is_1_and_a_wrong_id_is_2(operator: CliRunner) -> None:
    unknown = run(operator, "show", "missing", code=1)

    assert unknown.output == "Error: order missing does not exist\n"
    assert "control characters" in run(operator, "show", "a\x1b", code=2).output
    assert "1 to 255 characters" in run(operator, "show", "o" * 256, code=2).output


def test_texts_from_outside_are_harmless(operator: CliRunner, flow: Flow) -> None:
    order = flow.place()
    flow.sql("orders", "UPDATE orders SET user_id = 'a\x1b[2J\nforged'")

    for words in (["list"], ["show", order], ["list", "--json"], ["show", order, "--json"]):
        output = run(operator, *words).output
        assert "\x1b" not in output
        assert not any(line.startswith("forged") for line in output.splitlines())


def test_the_beginning_of_an_id_is_enough_if_no_other_begins_so(operator: CliRunner, flow: Flow) -> None:
    order = flow.place()
    flow.run()

    shown = run(operator, "show", order[:8]).output
    journey = json.loads(run(operator, "show", order[:8], "--journey", "--json").stdout)

    assert order in shown
    assert journey["order"]["orderId"] == order


def test_a_beginning_that_two_orders_have_is_refused_with_both_ids(operator: CliRunner, flow: Flow) -> None:
    orders = sorted([flow.place(), flow.place()])
    for number, order in enumerate(orders):
        flow.sql("orders", f"UPDATE orders SET order_id = 'b8d43024-{number}' WHERE order_id = '{order}'")

    refused = run(operator, "show", "b8d43024", code=1)

    assert "more than one order begins with b8d43024, as b8d43024-0 and b8d43024-1." in refused.output
    assert "b8d43024-1" in run(operator, "show", "b8d43024-1").output
    assert "order b8d4302 does not exist" in run(operator, "show", "b8d4302", code=1).output
