"""Kafka's and MariaDB's own tools, run in place of this process, so that terminal and signals are theirs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from .accounts import password
from .connect import CONVERTERS, worker
from .errors import NotForThisPlatform, NotRunning
from .java import class_path, jvm, properties
from .laboratory import Lab
from .ports import HOST
from .programs import programs

HEAP = "256m"
KAFKA = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}


def kafka_tool(lab: Lab, name: str, arguments: Sequence[str]) -> NoReturn:
    """One of Kafka's tools. It is told where Kafka is, unless it was already."""
    _java(KAFKA[name], *with_bootstrap(lab, arguments))


def with_bootstrap(lab: Lab, arguments: Sequence[str]) -> list[str]:
    if any(one.split("=")[0] == "--bootstrap-server" for one in arguments):
        return list(arguments)
    return ["--bootstrap-server", _running_kafka(lab), *arguments]


def connect_standalone(lab: Lab, arguments: Sequence[str]) -> NoReturn:
    """A standalone Connect worker. Its own properties are made, unless the first file has them."""
    _java("org.apache.kafka.connect.cli.ConnectStandalone", *with_worker(lab, arguments))


def with_worker(lab: Lab, arguments: Sequence[str]) -> list[str]:
    first = Path(arguments[0]) if arguments else None
    if first and first.is_file() and "bootstrap.servers" in first.read_text():
        return list(arguments)
    own = lab.standalone / "worker.properties"
    own.parent.mkdir(exist_ok=True)
    settings = {
        **worker(_running_kafka(lab), lab.connect.ports[0] + 1, f"{CONVERTERS}.storage.StringConverter"),
        "offset.storage.file.filename": lab.standalone / "offsets",
        "offset.flush.interval.ms": 2000,
    }
    own.write_text(properties(settings))
    return [str(own), *arguments]


def _running_kafka(lab: Lab) -> str:
    if not any(broker.answers() for broker in lab.kafka.brokers):
        raise NotRunning("Kafka")
    return lab.kafka.bootstrap


def mariadb_client(lab: Lab, user: str, arguments: Sequence[str]) -> NoReturn:
    """A MariaDB client, logged in."""
    client = programs().client
    if client is None:
        raise NotForThisPlatform("there is no `mariadb` client on PATH beside the server; install it")
    if not lab.mariadb.answers():
        raise NotRunning("MariaDB")
    where = [f"--host={HOST}", f"--port={lab.mariadb.ports[0]}", f"--user={user}"]
    _become(
        [str(client), "--no-defaults", *where, "--skip-ssl", "--default-character-set=utf8mb4", *arguments],
        {"MYSQL_PWD": password(user)},
    )


def _java(main: str, *arguments: str) -> NoReturn:
    _become(jvm(main, *arguments, heap=HEAP, level="WARN"), class_path())


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    os.execve(command[0], command, {**os.environ, **environment})
