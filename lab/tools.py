"""Runs Kafka's and MariaDB's own tools by exec, so that they own the terminal and receive the signals."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn, TextIO

from .accounts import password
from .addresses import check
from .connect import CONVERTERS, worker
from .errors import NoSuchFile, NotForThisPlatform, NotRunning
from .java import class_path, jvm, properties
from .laboratory import Lab
from .ports import HOST
from .private import private, write
from .programs import programs
from .slides import servers

HEAP = "256m"
KAFKA = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}

# Options with which a person configures the connection to Kafka, for example for TLS.
CLIENT_SETTINGS = {"--command-config", "--consumer.config", "--producer.config", "--command-property"}
CLIENT_SETTINGS |= {"--consumer-property", "--producer-property"}


def kafka_tool(lab: Lab, name: str, arguments: Sequence[str]) -> NoReturn:
    """Run one of Kafka's tools, with the lab's bootstrap servers unless the arguments name others."""
    _java(KAFKA[name], *with_bootstrap(lab, arguments))


def with_bootstrap(lab: Lab, arguments: Sequence[str], out: TextIO = sys.stderr) -> list[str]:
    """The arguments for Kafka 4's tools: replaces the course's `--broker-list` and drops `--zookeeper`."""
    named, others = servers(arguments)
    if not named and {"--help", "--version"} & set(arguments):
        return list(arguments)
    if "--broker-list" in named:
        out.write("--broker-list is called --bootstrap-server today, and is read as that.\n")
    if "--zookeeper" in named:
        out.write("--zookeeper is left out: Kafka 4 has no ZooKeeper, and its tools ask the brokers.\n")
    address = named.get("--bootstrap-server", named.get("--broker-list"))
    if address is None:
        return ["--bootstrap-server", _running_kafka(lab), *others]
    check(address, here=_here(lab), plain=not CLIENT_SETTINGS & {one.partition("=")[0] for one in others})
    return ["--bootstrap-server", address, *others]


def _here(lab: Lab, do: str = "leave the address out") -> str:
    """A hint with the address of the lab's Kafka, for a person who typed another address."""
    if not _is_up(lab):
        return "This lab's Kafka is down, too: `python -m lab up` starts it"
    return f"This lab's Kafka is at {lab.kafka.bootstrap}: {do}, or name that one"


def _is_up(lab: Lab) -> bool:
    return any(broker.answers() for broker in lab.kafka.brokers)


def connect_standalone(lab: Lab, arguments: Sequence[str]) -> NoReturn:
    """Run a standalone Connect worker. Its properties are generated, unless the first file contains them."""
    _java("org.apache.kafka.connect.cli.ConnectStandalone", *with_worker(lab, arguments))


def with_worker(lab: Lab, arguments: Sequence[str]) -> list[str]:
    missing = [one for one in arguments if not one.startswith("-") and not Path(one).is_file()]
    if missing:
        raise NoSuchFile(f"there is no file {missing[0]}; it takes .properties files, one for each connector")
    first = Path(arguments[0]) if arguments and not arguments[0].startswith("-") else None
    if first and (told := re.search(r"(?m)^\s*bootstrap\.servers\s*[=:]\s*(\S+)", first.read_text())):
        plain = not re.search(r"(?m)^\s*security\.protocol", first.read_text())
        check(told[1], here=f"{first} names it. {_here(lab, 'leave that file out')}", plain=plain)
        return list(arguments)
    own = private(lab.standalone) / "worker.properties"
    settings = {
        **worker(_running_kafka(lab), lab.connect.ports[0] + 1, f"{CONVERTERS}.storage.StringConverter"),
        "offset.storage.file.filename": lab.standalone / "offsets",
        "offset.flush.interval.ms": 2000,
    }
    write(own, properties(settings))
    return [str(own), *arguments]


def _running_kafka(lab: Lab) -> str:
    if not _is_up(lab):
        raise NotRunning("Kafka")
    return lab.kafka.bootstrap


def mariadb_client(lab: Lab, user: str, arguments: Sequence[str]) -> NoReturn:
    """Run MariaDB's client, logged in."""
    client = programs().client
    if client is None:
        raise NotForThisPlatform("there is no `mariadb` client on PATH beside the server; install it")
    if not lab.mariadb.answers():
        raise NotRunning("MariaDB")
    where = [f"--host={HOST}", f"--port={lab.mariadb.ports[0]}", f"--user={user}"]
    own = ["--no-defaults", *where, "--skip-ssl", "--default-character-set=utf8mb4"]
    _become([str(client), *own, *without_login(arguments)], {"MYSQL_PWD": password(user)})


def without_login(arguments: Sequence[str], out: TextIO = sys.stderr) -> list[str]:
    """The arguments without password, host and port, which the course's commands contain.

    The lab uses its own.
    """
    rest: list[str] = []
    left_out: list[str] = []
    left = iter(arguments)
    for one in left:
        if one in ("-e", "--execute"):
            rest += [one, *islice(left, 1)]
        elif one in ("-h", "-P", "--host", "--port"):
            left_out += [one, *islice(left, 1)]
        elif re.match(r"-[phP]|--(password|host|port)(=|$)", one):
            left_out.append("-p" if one.startswith(("-p", "--password")) else one)
        else:
            rest.append(one)
    if left_out:
        out.write(f"{' '.join(left_out)} left out: the lab knows where its MariaDB is, and logs you in.\n")
    return rest


def _java(main: str, *arguments: str) -> NoReturn:
    _become(jvm(main, *arguments, heap=HEAP, level="WARN", quick=True), class_path())


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    os.execve(command[0], command, {**os.environ, **environment})
