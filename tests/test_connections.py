"""Workers and commands close every connection that they opened, to the databases and to the embedded log."""

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from orders_service import resources
from orders_service.broker_client import BROKER_FILE, broker, topic_spec
from orders_service.cli import commands
from orders_service.events.brokers.port import Outgoing, TopicMissing
from orders_service.processes import WORKERS, Worker
from orders_service.settings import Settings
from orders_service.workers.build import build
from rig.databases import Databases
from rig.waiting import await_true

COMMANDS = [
    "catalog supply CATALOG-001 1 --note one",
    "dead-letters list",
    "dead-letters replay --all",
    "doctor",
    "migrate",
    "outbox list",
    "outbox purge",
    "outbox requeue --set-aside",
    "outbox resend --pending-older-than 0",
    "topics list",
]


@pytest.fixture
def settings(databases: Databases, tmp_path: Path) -> Settings:
    """Both databases and an embedded log with a record in each topic; nothing is connected to them."""
    found = Settings.read(databases.environment | {"STATE_DIR": str(tmp_path)})
    log, topics = broker(found, create=True), resources.topics(found).names
    log.create_topics(topics, topic_spec(found))
    with closing(log.producer()) as producer:
        for topic in topics:
            producer.send([Outgoing(topic, b"key", b"unreadable", ())])
    databases.dispose()
    return found


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """The garbage collector would close some connections that were forgotten."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def connections(databases: Databases, tmp_path: Path) -> list[str]:
    """Every connection of this process to the test's databases and its log, except the one that looks."""
    found = files_of(tmp_path)
    if databases.orders.dialect.name != "sqlite":
        names = [databases.orders.url.database, databases.catalog.url.database]
        query = "SELECT db FROM information_schema.processlist WHERE db IN (:a, :b) AND id <> CONNECTION_ID()"
        with databases.orders.connect() as looking:
            found += looking.scalars(text(query), {"a": names[0], "b": names[1]})
        databases.dispose()
    return found


def await_no_connection(databases: Databases, tmp_path: Path) -> None:
    """Wait until no connection is left: MariaDB lists one for a moment after it was closed."""
    await_true(lambda: not connections(databases, tmp_path), "every connection is closed")


def files_of(folder: Path) -> list[str]:
    """The files in *folder* that this process has open."""
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(f"{folder}/")]


@pytest.mark.parametrize("process", WORKERS, ids=lambda process: process.command)
def test_a_closed_worker_has_no_connection(
    process: Worker, settings: Settings, databases: Databases, tmp_path: Path
) -> None:
    worker = build(process, settings, poll_seconds=0)
    worker.step()
    held = connections(databases, tmp_path)

    worker.close()

    assert held
    await_no_connection(databases, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_no_connection(
    command: str, settings: Settings, databases: Databases, tmp_path: Path
) -> None:
    environment = databases.environment | {"STATE_DIR": str(tmp_path)}

    result = CliRunner().invoke(commands, command.split(), env=environment)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    await_no_connection(databases, tmp_path)


def test_a_reader_of_a_topic_that_is_missing_leaves_no_connection(
    settings: Settings, databases: Databases, tmp_path: Path
) -> None:
    with pytest.raises(TopicMissing):
        broker(settings).read(["missing"], from_start=True)

    assert Path(tmp_path, BROKER_FILE).exists()
    await_no_connection(databases, tmp_path)


@pytest.mark.parametrize(
    "command", ["migrate", "outbox list", "dead-letters list", "catalog supply A 1 --note one"]
)
def test_a_command_that_finds_no_database_leaves_no_connection(command: str, tmp_path: Path) -> None:
    spoilt = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    for name in ("orders.db", "catalog.db"):
        (tmp_path / name).write_bytes(b"This is no database." * 100)

    result = CliRunner().invoke(commands, command.split(), env=spoilt.environment)

    assert result.exit_code == 1
    assert files_of(tmp_path) == [], result.exception
