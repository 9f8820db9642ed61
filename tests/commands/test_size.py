"""`size`: a plan for people and for scripts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands.size import main, size
from orders_service.processes import PROCESSES


def said(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_it_prints_every_process_disk_network_and_limits_in_80_columns() -> None:
    text = said("--orders-per-second", "1000")

    for process in PROCESSES:
        assert f"\n{process.command} " in text
    for word in (
        "MariaDB, orders",
        "Kafka",
        "disk",
        "network",
        "Cells: 1",
        "orders a second for one product",
    ):
        assert word in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("1,000 orders a second, 60 % of each core in use, 8 cores a server\n")


def test_scripts_get_the_same_plan_with_the_costs_behind_it() -> None:
    (found,) = json.loads(said("--orders-per-second", "1000", "--utilization", "50", "--json"))

    assert found["wanted"]["rate"] == 1000
    assert found["wanted"]["utilization"] == 0.5
    assert [need["name"] for need in found["processes"]] == [process.command for process in PROCESSES]
    assert found["measured"]["cpu_ms"]["api"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option '--orders-per-second'"),
        (["--orders-per-second", "0"], "0 is not in the range 1<=x<=1000000"),
        (["--orders-per-second", "many"], "'many' is not a valid integer range"),
        (["--orders-per-second", "1", "--utilization", "100"], "100 is not in the range 10<=x<=90"),
        (["--orders-per-second", "1", "--replication-factor", "0"], "0 is not in the range 1<=x<=9"),
    ],
)
def test_what_cannot_be_planned_is_refused(words: list[str], message: str) -> None:
    done = CliRunner().invoke(main, words)

    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (9.96, "10 B"),
        (999, "999 B"),
        (999.5, "1 kB"),
        (38_400_000_000, "38 GB"),
        (1.24e12, "1.2 TB"),
    ],
)
def test_a_number_of_bytes_is_short(number: float, text: str) -> None:
    assert size(number) == text


def test_a_rate_that_one_catalog_cannot_carry_is_no_plan() -> None:
    done = CliRunner().invoke(main, ["--orders-per-second", "1000000"])

    assert done.exit_code == 1
    assert "1,000,000 orders a second are more than the catalog's relay" in done.output


def test_the_documentation_shows_what_it_prints() -> None:
    page = Path("docs/scale.md").read_text()
    shown = page.partition("$ orders-service size --orders-per-second 2000\n")[2].partition("```")[0]

    assert shown == said("--orders-per-second", "2000")
