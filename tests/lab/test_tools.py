"""What Kafka's own tools are told, and what the lab refuses."""

from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.errors import NotRunning, UnknownServer, WrongServers
from lab.tools import with_bootstrap, with_worker


@pytest.fixture
def stopped(tmp_path: Path) -> Lab:
    """A lab of which nothing runs."""
    return Lab(tmp_path / "lab", Ports.free())


@pytest.fixture
def running(stopped: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose broker says that it answers."""
    monkeypatch.setattr("lab.broker.Broker.answers", lambda _: True)
    return stopped


def test_a_tool_is_told_where_kafka_is(running: Lab) -> None:
    arguments = with_bootstrap(running, ["--list"])

    assert arguments == ["--bootstrap-server", running.kafka.bootstrap, "--list"]


@pytest.mark.parametrize("given", [["--bootstrap-server", "elsewhere:1"], ["--bootstrap-server=elsewhere:1"]])
def test_a_tool_that_was_told_where_kafka_is_is_left_alone(stopped: Lab, given: list[str]) -> None:
    assert with_bootstrap(stopped, [*given, "--list"]) == [*given, "--list"]


def test_a_tool_does_not_wait_for_a_kafka_that_does_not_run(stopped: Lab) -> None:
    with pytest.raises(NotRunning, match="Kafka does not answer"):
        with_bootstrap(stopped, ["--list"])


def test_a_standalone_worker_of_its_own_is_left_alone(stopped: Lab, tmp_path: Path) -> None:
    worker = tmp_path / "worker.properties"
    worker.write_text("bootstrap.servers=elsewhere:1\n")

    assert with_worker(stopped, [str(worker), "source.properties"]) == [str(worker), "source.properties"]


@pytest.mark.parametrize(("name", "servers"), [("kafka", 3), ("kafka-2", 1), ("mariadb", 1), ("connect", 1)])
def test_a_name_stands_for_its_servers(tmp_path: Path, name: str, servers: int) -> None:
    assert len(Lab(tmp_path, brokers=3).named(name)) == servers


def test_an_unknown_name_is_answered_with_the_known_ones(stopped: Lab) -> None:
    with pytest.raises(UnknownServer, match="there is no kafka-2 here; there are kafka, kafka-1, mariadb"):
        stopped.named("kafka-2")


def test_the_data_of_one_broker_is_not_made_that_of_three(tmp_path: Path) -> None:
    (tmp_path / "kafka-1" / "data").mkdir(parents=True)

    with pytest.raises(WrongServers, match="--brokers 1"):
        Lab(tmp_path, brokers=3)


def test_three_brokers_are_remembered_also_if_the_first_start_was_cut_short(tmp_path: Path) -> None:
    first = Lab(tmp_path, brokers=3)
    first.kafka.note_size()
    (tmp_path / "kafka-2" / "data").mkdir(parents=True)

    assert Lab(tmp_path).kafka.count == 3


def test_connect_and_three_copies_are_in_the_environment(tmp_path: Path) -> None:
    environment = Lab(tmp_path, brokers=3, connect=True).environment()

    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:29092,127.0.0.1:29094,127.0.0.1:29096"
    assert environment["TOPIC_REPLICATION"] == "3"
    assert environment["CONNECT_URL"] == "http://127.0.0.1:28083"
