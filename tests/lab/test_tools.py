"""What Kafka's own tools are told, and what the lab refuses."""

import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.addresses import check
from lab.errors import NobodyListens, NoSuchFile, NotRunning, UnknownServer, WrongServers
from lab.ports import HOST
from lab.tools import with_bootstrap, with_worker, without_login


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


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a broker that is not the lab's: it answers the question that every client asks first."""
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        if connection.recv(100):
                            connection.sendall(struct.pack(">iihi", 10, 1, 0, 0))

        threading.Thread(target=answer, daemon=True).start()
        yield f"localhost:{server.getsockname()[1]}"


@pytest.mark.parametrize("option", ["--bootstrap-server", "--broker-list"])
@pytest.mark.parametrize("equals", [True, False])
def test_a_tool_that_was_told_where_kafka_is_asks_there(
    stopped: Lab, elsewhere: str, option: str, equals: bool
) -> None:
    given = [f"{option}={elsewhere}"] if equals else [option, elsewhere]
    out = io.StringIO()

    arguments = with_bootstrap(stopped, [*given, "--list"], out)

    assert arguments == ["--bootstrap-server", elsewhere, "--list"]
    assert out.getvalue().count("\n") == (option == "--broker-list")


def test_the_zookeeper_of_old_slides_is_left_out(running: Lab) -> None:
    out = io.StringIO()

    arguments = with_bootstrap(running, ["--zookeeper", "localhost:2181", "--list"], out)

    assert arguments == ["--bootstrap-server", running.kafka.bootstrap, "--list"]
    assert "Kafka 4 has no ZooKeeper" in out.getvalue()


@pytest.mark.parametrize("option", ["--bootstrap-server", "--broker-list"])
def test_a_port_where_nobody_listens_is_said_before_a_java_starts(running: Lab, option: str) -> None:
    port = Ports.free().connect

    with pytest.raises(NobodyListens) as caught:
        with_bootstrap(running, ["--topic", "t", option, f"localhost:{port}"], io.StringIO())

    assert str(caught.value).startswith(
        f"Nothing listens on localhost:{port}. This lab's Kafka is at {running.kafka.bootstrap}: "
    )


def test_one_server_of_several_is_enough(stopped: Lab, elsewhere: str) -> None:
    several = f"localhost:{Ports.free().connect},{elsewhere}"

    assert with_bootstrap(stopped, ["--bootstrap-server", several]) == ["--bootstrap-server", several]


@pytest.mark.parametrize("address", ["localhost", "localhost:port", "localhost:99999", ":9092"])
def test_what_is_no_address_is_said(running: Lab, address: str) -> None:
    with pytest.raises(NobodyListens, match=f"'{address}' is not host:port"):
        with_bootstrap(running, ["--bootstrap-server", address])


def test_a_server_that_is_not_kafka_is_said(running: Lab) -> None:
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        threading.Thread(target=lambda: silent.accept()[0].close(), daemon=True).start()

        with pytest.raises(NobodyListens, match=f"What listens on {HOST}:{port} does not answer as Kafka"):
            check(f"{HOST}:{port}", here="")


def test_a_kafka_that_wants_tls_is_left_to_the_tool(stopped: Lab) -> None:
    with socket.create_server((HOST, 0)) as silent:
        told = [
            "--bootstrap-server",
            f"{HOST}:{silent.getsockname()[1]}",
            "--command-config",
            "tls.properties",
        ]

        assert with_bootstrap(stopped, told) == told


def test_help_needs_no_kafka(stopped: Lab) -> None:
    assert with_bootstrap(stopped, ["--help"]) == ["--help"]


def test_a_tool_does_not_wait_for_a_kafka_that_does_not_run(stopped: Lab) -> None:
    with pytest.raises(NotRunning, match="Kafka does not answer"):
        with_bootstrap(stopped, ["--list"])


def test_a_standalone_worker_of_its_own_is_left_alone(stopped: Lab, tmp_path: Path, elsewhere: str) -> None:
    worker, source = tmp_path / "worker.properties", tmp_path / "source.properties"
    worker.write_text(f"bootstrap.servers={elsewhere}\n")
    source.write_text("name=source\n")

    assert with_worker(stopped, [str(worker), str(source)]) == [str(worker), str(source)]


def test_a_standalone_worker_for_a_kafka_that_does_not_run_is_said(running: Lab, tmp_path: Path) -> None:
    worker = tmp_path / "worker.properties"
    worker.write_text(f"bootstrap.servers=localhost:{Ports.free().connect}\n")

    with pytest.raises(NobodyListens, match=r"Nothing listens on .* This lab's Kafka is at"):
        with_worker(running, [str(worker)])


def test_a_file_that_is_not_there_is_said(running: Lab) -> None:
    with pytest.raises(NoSuchFile, match=r"there is no file config/connect-standalone\.properties"):
        with_worker(running, ["config/connect-standalone.properties"])


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        (["-p"], []),
        (["-ptest1357", "mydb"], ["mydb"]),
        (["-h", "localhost", "-P3306", "--password=x", "mydb"], ["mydb"]),
        (["--table", "-e", "-p", "mydb"], ["--table", "-e", "-p", "mydb"]),
    ],
)
def test_the_lab_logs_the_learner_in(typed: list[str], rest: list[str]) -> None:
    out = io.StringIO()

    assert without_login(typed, out) == rest
    assert "x" not in out.getvalue()
    assert "test1357" not in out.getvalue()


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


def test_a_lab_has_connect_from_the_moment_another_command_started_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    before = lab.connect in lab.servers

    (tmp_path / "connect").mkdir()

    assert not before
    assert lab.connect in lab.servers


def test_connect_and_three_copies_are_in_the_environment(tmp_path: Path) -> None:
    environment = Lab(tmp_path, brokers=3, connect=True).environment()

    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:29092,127.0.0.1:29094,127.0.0.1:29096"
    assert environment["TOPIC_REPLICATION"] == "3"
    assert environment["CONNECT_URL"] == "http://127.0.0.1:28083"
