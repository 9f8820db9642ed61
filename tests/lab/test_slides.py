"""What the commands of the course's slides are answered with."""

import pytest
from click.testing import CliRunner

from lab.__main__ import main

LAB = "python -m lab"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("zookeeper-server-start.sh config/zookeeper.properties", "Kafka 4 has no ZooKeeper"),
        ("./bin/zookeeper-server-start.sh ./config/zookeeper.properties", "Kafka 4 has no ZooKeeper"),
        ("kafka-server-start.sh config/server.properties", f"started by: {LAB} up"),
        ("bin/kafka-server-stop.sh", f"{LAB} stop kafka"),
        ("connect-distributed ./etc/kafka/connect-distributed.properties", f"{LAB} up --connect"),
        (r".\bin\windows\connect-distributed.bat .\etc\kafka\x.properties", f"{LAB} up --connect"),
        ("mysql -uroot -p", f"{LAB} mariadb"),
        ("mysql.server start", f"{LAB} up"),
        (
            "kafka-topics.sh --bootstrap-server localhost:9092 --list",
            f"kafka-topics.sh is here: {LAB} kafka-topics --list",
        ),
        (
            "bin/kafka-console-producer.sh --broker-list localhost:9092 --topic quickstart-events",
            f"{LAB} kafka-console-producer --topic quickstart-events",
        ),
        (r".\bin\windows\kafka-topics.bat --list", f"{LAB} kafka-topics --list"),
        ("connect-standalone.sh a.properties", f"{LAB} connect-standalone a.properties"),
        ("curl http://localhost:8083/connectors", "curl $CONNECT_URL/connectors"),
        ("kafka-topic --list", "did you mean kafka-topics?"),
    ],
)
def test_a_command_of_the_slides_is_answered_with_the_one_that_does_it_here(typed: str, told: str) -> None:
    done = CliRunner().invoke(main, typed.split(" "))

    assert done.exit_code == 2
    assert told in done.output
    assert done.output.count("\n") == 1
