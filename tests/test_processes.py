"""The table of processes, and what must agree with it."""

import pkgutil
import re
from pathlib import Path

import click
import pytest

from orders_service.processes import CONSUMERS, PROCESSES, RELAYS, WORKERS, Process

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.command)
def test_a_processs_module_has_its_command(process: Process) -> None:
    command = pkgutil.resolve_name(f"{process.module}:main")

    assert isinstance(command, click.Command)
    assert command.name == process.command


def test_every_worker_file_is_a_row() -> None:
    files = {path.stem for path in (ROOT / "orders_service/workers").glob("*.py")} - {
        "__init__",
        "build",
        "loop",
    }

    assert files == {worker.module.rpartition(".")[2] for worker in WORKERS}


def test_every_topic_that_is_read_is_sent_by_a_relay() -> None:
    sent = {topic for relay in RELAYS for topic in relay.topics}

    assert {consumer.topic.name for consumer in CONSUMERS} <= sent


def test_the_page_of_the_architecture_has_a_line_for_each_process() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    lines = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", text, re.MULTILINE))

    assert lines == {process.command: ", ".join(process.databases) for process in PROCESSES}


def test_no_two_consumers_have_the_same_group_or_the_same_setting_for_it() -> None:
    groups = [consumer.group for consumer in CONSUMERS]

    assert len(set(groups)) == len(groups)
