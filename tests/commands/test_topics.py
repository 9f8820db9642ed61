"""`topics create|list|describe` on the embedded log."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands.topics import main

CATALOG, STOCK = "example-catalog-topic", "example-stock-topic"


@pytest.fixture(autouse=True)
def _own_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An embedded log of this test alone."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("BROKER", "embedded")


def run(*words: str) -> str:
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_topics_are_created_once() -> None:
    first, second = run("create"), run("create")

    assert first == f"{CATALOG}: created\n{STOCK}: created\n"
    assert second == f"{CATALOG}: exists\n{STOCK}: exists\n"
    assert run("list") == f"{CATALOG}\n{STOCK}\n"


def test_a_topic_for_a_sink_is_created_when_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    run("create")
    monkeypatch.setenv("ORDERS_SINK_TOPIC", "orders")

    assert run("create").endswith("orders: created\n")


def test_topics_are_described_for_people_and_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "3")
    run("create")

    described = json.loads(run("describe", "--json"))

    assert [(topic["name"], topic["partitions"]) for topic in described] == [(CATALOG, 3), (STOCK, 3)]
    assert f"{CATALOG}  partitions=3  replication=1" in run("describe")


def test_scripts_get_what_was_created_and_what_there_is() -> None:
    created, again = json.loads(run("create", "--json")), json.loads(run("create", "--json"))

    assert created == [{"name": CATALOG, "created": True}, {"name": STOCK, "created": True}]
    assert again == [{"name": CATALOG, "created": False}, {"name": STOCK, "created": False}]
    assert json.loads(run("list", "--json")) == [{"name": CATALOG}, {"name": STOCK}]
    assert {*json.loads(run("describe", "--json"))[0]} == {
        *("name", "partitions", "replication", "inSync", "settings")
    }


@pytest.mark.parametrize("words", [["list"], ["describe"], ["describe", "--json"]])
def test_without_a_log_the_command_that_makes_it_is_told(words: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, words)

    assert result.exit_code == 1
    assert "Create it with: orders-service topics create" in result.output
    assert list(tmp_path.iterdir()) == []
