"""The lab's shell: the commands of the course's slides, typed at a terminal."""

import io
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from lab import Lab, Ports
from lab.artifacts import cache
from lab.ports import HOST, is_free
from lab.shell import roads
from lab.shell.forward import forwarding
from lab.typed import tool
from rig import waiting
from tests.lab.typist import CTRL_C, CTRL_D, Typist, at_terminal

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PROMPT = r"\(lab\) learner> "


@pytest.fixture(scope="module")
def own(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of these tests' own, which nothing has started yet."""
    del lab  # It says whether a lab can run here.
    own = Lab(tmp_path_factory.mktemp("shell"), Ports.free(), out=io.StringIO())
    yield own
    own.down()


@pytest.fixture
def learner(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who uses bash and has a prompt of their own."""
    (tmp_path / ".bashrc").write_text("PS1='learner> '\n")
    # The files of the servers are in the cache already.
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(cache().parent)}
    return own | {"SHELL": "/bin/bash", "PYTHONPATH": str(ROOT)}


def run(own: Lab, learner: dict[str, str], command: str) -> "subprocess.CompletedProcess[str]":
    """`lab shell -c COMMAND`."""
    return subprocess.run(
        tool(own, ["shell", "-c", command]),
        cwd=ROOT,
        env=os.environ | learner,
        capture_output=True,
        text=True,
        timeout=waiting.seconds(60),
        check=False,
    )


class Shell:
    """A learner in the lab's shell."""

    def __init__(self, typist: Typist, ports: Ports) -> None:
        self._typist, self._ports = typist, ports

    def start(self, command: str) -> None:
        """Type a command of the slides. Their ports are replaced by those of this lab."""
        command = command.replace(":9092", f":{self._ports.slides_kafka}")
        command = command.replace(":8083", f":{self._ports.slides_connect}")
        self._typist.type(f"{command}\n")
        self._typist.read_until(re.escape(command) + "\n")

    def answer(self) -> str:
        """The output of a command, up to the next prompt."""
        return re.sub(PROMPT, "", self._typist.read_until(PROMPT))

    def run(self, command: str) -> str:
        self.start(command)
        return self.answer()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_each_command_of_the_slides_does_what_it_shows_or_says_what_is_different(
    own: Lab, learner: dict[str, str]
) -> None:
    with at_terminal(tool(own, ["shell"]), learner) as typist:
        shell = Shell(typist, own.ports)
        welcome = shell.answer()
        assert "Starting what is down: kafka-1, mariadb." in welcome
        assert f"localhost:{own.ports.slides_kafka} reaches Kafka ({own.kafka.bootstrap})" in welcome

        # Section 3: ZooKeeper and Kafka, topics, console producer and consumer.
        said = shell.run("$KAFKA_HOME/bin/zookeeper-server-start.sh $KAFKA_HOME/config/zookeeper.properties")
        assert said.startswith("Kafka 4 has no ZooKeeper")
        assert said.count("\n") == 1
        said = shell.run("$KAFKA_HOME/bin/kafka-server-start.sh $KAFKA_HOME/config/server.properties")
        assert said.startswith("Kafka runs already")
        assert shell.run("kafka-topics.sh --bootstrap-server localhost:9092 --list").strip() == ""
        topic = "--topic quickstart-events"
        created = shell.run(
            f"kafka-topics.sh --bootstrap-server localhost:9092 --create {topic} --partitions 1"
        )
        assert created == "Created topic quickstart-events.\n"
        listed = shell.run("kafka-topics.sh --bootstrap-server localhost:9092 --list")
        assert listed == "quickstart-events\n"
        described = shell.run(f"kafka-topics.sh --describe {topic} --bootstrap-server localhost:9092")
        assert "PartitionCount: 1\tReplicationFactor: 1" in described
        shell.start(f"kafka-console-producer.sh --broker-list localhost:9092 {topic}")
        typist.read_until("--broker-list is called --bootstrap-server today, and is read as that.\n")
        typist.read_until("(?m)^>")
        typist.type(f"Hello\nKafka\n{CTRL_D}")
        shell.answer()
        shell.start(f"kafka-console-consumer.sh --bootstrap-server localhost:9092 {topic} --from-beginning")
        typist.read_until("Hello\nKafka\n")
        typist.type(CTRL_C)
        assert "Processed a total of 2 messages" in shell.answer()
        shell.start(f"kafka-console-consumer.sh --broker-list localhost:9092 {topic} --from-beginning")
        typist.read_until(
            "--broker-list is called --bootstrap-server today, and is read as that.\n(.*\n)*Hello\nKafka\n"
        )
        typist.type(CTRL_C)
        shell.answer()

        # Section 4: MariaDB and Kafka Connect.
        assert shell.run("mysql.server start").startswith("MariaDB runs already")
        assert shell.run("mysql_secure_installation").startswith("Nothing to do here: ")
        shell.start("mysql -uroot -p")
        typist.read_until("MariaDB .*> ")
        typist.type("create database mydb;\n")
        typist.read_until("Query OK, 1 row affected")
        typist.type("show databases;\n")
        typist.read_until(r"\| mydb +\|")
        typist.type("exit\n")
        shell.answer()
        refused = shell.run("curl -s http://localhost:8083/connectors")
        assert refused == "Kafka Connect is down: connect-distributed starts it.\n"
        said = shell.run(
            "cd $KAFKA_CONNECT_HOME; ./bin/connect-distributed ./etc/kafka/connect-distributed.properties"
        )
        assert "Kafka Connect answers now in the background" in said
        names = shell.run("kafka-topics.sh --bootstrap-server localhost:9092 --list").split()
        assert {"connect-configs", "connect-offsets", "connect-status"} < set(names)
        assert shell.run("curl -s http://localhost:8083/connectors; echo") == "[]\n"

        # A mistyped command.
        said = shell.run("kafka-topic.sh --list")
        assert said == "kafka-topic.sh: command not found; did you mean kafka-topics.sh?\n"
        typist.type("exit\n")
        assert typist.end() == 127
        assert "The lab goes on running." in typist.everything


@pytest.mark.real
def test_one_command_is_run_and_its_exit_code_returned(own: Lab, learner: dict[str, str]) -> None:
    own.up()

    done = run(own, learner, "mysql -uroot --skip-column-names -e 'select 42'; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, "42\n", "")


@pytest.mark.real
def test_a_port_that_is_taken_is_said_in_a_line_and_the_command_is_run(
    own: Lab, learner: dict[str, str]
) -> None:
    own.up()

    with socket.create_server((HOST, own.ports.slides_kafka)):
        server = f"localhost:{own.ports.slides_kafka}"
        done = run(own, learner, f"kafka-topics.sh --bootstrap-server {server} --list")

    assert done.stderr.splitlines()[0] == (
        f"localhost:{own.ports.slides_kafka} is taken by another program, and does not reach this lab's "
        f"Kafka: type {own.kafka.bootstrap} instead."
    )
    assert "does not answer as Kafka does" in done.stderr.splitlines()[1]


@pytest.mark.real
def test_a_client_that_began_at_the_port_of_the_slides_goes_on_when_the_shell_has_ended(
    own: Lab, tmp_path: Path
) -> None:
    """The brokers' own addresses are in the answer to a client's first question."""
    own.up()
    kafka, _ = roads(own)

    with forwarding(kafka, tmp_path):
        consumer = KafkaConsumer(bootstrap_servers=f"localhost:{kafka.port}")
        before = consumer.topics()
    after = consumer.topics()
    consumer.close()

    assert is_free(kafka.port)
    assert after == before
