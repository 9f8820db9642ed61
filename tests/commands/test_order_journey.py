"""`orders show ORDER_ID --journey`: the journey of an order, in a terminal."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from orders_service.commands.order_journey import LEFT, WIDTH
from orders_service.commands.orders import main
from orders_service.events.tables import OutboxRow
from tests.flow_kit import Flow

NASTY = "<script>\x1b[2J\u202e"


@pytest.fixture
def operator(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal, with the flow's settings."""
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    return CliRunner()


def shown(operator: CliRunner, *words: str) -> str:
    result = operator.invoke(main, ["show", *words, "--journey"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_journey_fits_into_80_columns(operator: CliRunner, flow: Flow) -> None:
    order_id = flow.place(qty=2)
    flow.run()

    lines = shown(operator, order_id).splitlines()

    assert lines[0].startswith("Confirmed ")
    assert lines[1] == "2 pieces of CATALOG-001 for kim, 3,000 in all."
    assert [line for line in lines if len(line) > WIDTH and len(line.split()) > 1] == []
    assert f'"orderId":"{order_id}"' in "\n".join(lines)  # It can be copied.
    titles = [line[LEFT:].split("  ")[1].strip() for line in lines if line[LEFT : LEFT + 1] in tuple("○●")]
    assert titles == [
        *("Placed", "Recorded", "In the log", "Reserved", "Answer recorded", "Answer in the log"),
        "Confirmed",
    ]


def test_a_script_gets_the_journey_as_json(operator: CliRunner, flow: Flow) -> None:
    order_id = flow.place()
    flow.run()

    found = json.loads(shown(operator, order_id, "--json"))

    assert found["order"]["orderId"] == order_id
    assert [entry["kind"] for entry in found["entries"]][-1] == "confirmed"


def test_an_order_that_waits_says_for_what(operator: CliRunner, flow: Flow) -> None:
    order_id = flow.place()
    flow.orders_relay.step()

    text = shown(operator, order_id)

    assert ": not reserved yet\n" in text
    assert "not yet           ·  Reserved" in text


def test_without_the_catalog_database_the_rest_is_told(
    operator: CliRunner, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = flow.place()
    flow.run()
    monkeypatch.setenv("CATALOG_DATABASE_URL", f"sqlite:///{flow.settings.state_dir}/none.db")

    text = shown(operator, order_id)

    assert "The catalog database does not answer." in text
    assert "●  Confirmed" in text


def test_hostile_text_is_shown_as_escapes(operator: CliRunner, flow: Flow) -> None:
    order_id = flow.place()
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(payload=NASTY))
    flow.sql("orders", f"UPDATE orders SET user_id = '{NASTY}'")
    flow.run()

    text = shown(operator, order_id)

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "for <script>\\x1b[2J\\u202e" in text


def test_an_unknown_order_is_named(operator: CliRunner) -> None:
    result = operator.invoke(main, ["show", "none", "--journey"])

    assert result.exit_code == 1
    assert "order none does not exist" in result.output
