"""Kafka Connect, with Debezium's connectors and Kafka's file connectors."""

import http.client
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .artifacts import files, locked, unpacked
from .java import class_path, jvm, properties
from .kafka import Kafka
from .ports import HOST, Ports
from .private import write
from .server import Server

HEAP = "512m"
CONVERTERS = "org.apache.kafka.connect"


class Connect(Server):
    """One distributed worker. Its state is in Kafka's topics `connect-…`."""

    def __init__(self, home: Path, ports: Ports, kafka: Kafka) -> None:
        super().__init__("connect", home, (ports.connect,))
        self._kafka = kafka

    @property
    def stage(self) -> int:
        return 3  # It keeps its state in Kafka.

    @property
    def url(self) -> str:
        return f"http://{self.where}"

    @property
    def mark(self) -> str:
        return str(self.folder / "worker.properties")

    def fetch(self, out: TextIO) -> None:
        files(locked("kafka"), out)
        plugins(out)

    def prepare(self) -> None:
        copies = self._kafka.count
        settings = {
            **worker(self._kafka.bootstrap, self.ports[0], f"{CONVERTERS}.json.JsonConverter"),
            "group.id": "connect-cluster",
            "config.storage.topic": "connect-configs",
            "offset.storage.topic": "connect-offsets",
            "status.storage.topic": "connect-status",
            "config.storage.replication.factor": copies,
            "offset.storage.replication.factor": copies,
            "status.storage.replication.factor": copies,
            "offset.storage.partitions": 3,
            "status.storage.partitions": 1,
            "offset.flush.interval.ms": 5000,
            "exactly.once.source.support": "enabled",
            # With the default, sinks stay idle for 45 s after a worker was killed.
            "consumer.session.timeout.ms": 10000,
            "consumer.heartbeat.interval.ms": 3000,
        }
        write(Path(self.mark), properties(settings))

    def command(self) -> list[str]:
        return jvm("org.apache.kafka.connect.cli.ConnectDistributed", self.mark, heap=HEAP)

    def environment(self) -> Mapping[str, str]:
        return class_path()

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.ports[0], timeout=5)
        try:
            connection.request("GET", "/health")
            return bool(json.load(connection.getresponse())["status"] == "healthy")
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False
        finally:
            connection.close()


def worker(bootstrap: str, port: int, converter: str) -> dict[str, object]:
    """The settings that a distributed and a standalone worker share."""
    return {
        "bootstrap.servers": bootstrap,
        "listeners": f"http://{HOST}:{port}",
        "rest.advertised.host.name": HOST,
        "rest.advertised.port": port,
        "key.converter": converter,
        "value.converter": converter,
        "plugin.path": ",".join(map(str, plugins())),
        # With this, a worker is ready in 3 s instead of 10 to 19 s, and takes a third of the memory.
        "plugin.discovery": "service_load",
    }


def plugins(out: TextIO | None = None) -> list[Path]:
    """The plugin path: folders with one subfolder for each connector."""
    return [unpacked(one, out or sys.stderr) for one in locked("connectors")]
