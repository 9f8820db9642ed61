"""One real Kafka broker."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .addresses import speaks_kafka
from .artifacts import files, locked
from .data import make_data
from .java import class_path, jvm, properties
from .ports import HOST, Ports
from .private import write
from .server import Server

HEAP = "384m"
OFFSETS_KEEP_MINUTES = 365 * 24 * 60


class Broker(Server):
    """One node of a KRaft cluster, broker and controller at once."""

    # When three brokers stop, the last one waits in vain for the controller to allow its shutdown, so the
    # time-out is short. A broker that is killed loses no data.
    stop_seconds = 7.0

    def __init__(self, number: int, count: int, home: Path, ports: Ports) -> None:
        own = number - 1
        super().__init__(f"kafka-{number}", home, (ports.brokers[own], ports.controllers[own]))
        self._number, self._count, self._controllers = number, count, ports.controllers[:count]
        self._detour = ports.detour if number == 1 else None
        self._home = home
        self.data = self.folder / "data"

    @property
    def mark(self) -> str:
        return str(self.folder / "server.properties")

    def fetch(self, out: TextIO) -> None:
        files(locked("kafka"), out)

    def prepare(self) -> None:
        write(Path(self.mark), self._properties(self.data))
        if not self.data.exists():
            make_data(self, self.data, self._format)

    def command(self) -> list[str]:
        return jvm("kafka.Kafka", self.mark, heap=HEAP)

    def environment(self) -> Mapping[str, str]:
        return class_path()

    def answers(self) -> bool:
        return speaks_kafka(HOST, self.ports[0])

    def _format(self, new: Path, work: Path) -> list[str]:
        configuration = work / "format.properties"
        write(configuration, self._properties(new))
        arguments = ["--cluster-id", cluster_id(self._home), "--config", str(configuration)]
        return jvm("kafka.tools.StorageTool", "format", *arguments, heap="128m", level="WARN", quick=True)

    def _properties(self, data: Path) -> str:
        port, controller = self.ports
        voters = ",".join(f"{number}@{HOST}:{port}" for number, port in enumerate(self._controllers, 1))
        copies, in_sync = (3, 2) if self._count == 3 else (1, 1)
        listen, protocols = f"PLAINTEXT://{HOST}:{port}", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
        advertised = listen
        if self._detour:
            # A client of this listener is told the proxy's address, so all its connections use the proxy.
            listen += f",DETOUR://{HOST}:{self._detour[1]}"
            advertised += f",DETOUR://{HOST}:{self._detour[0]}"
            protocols += ",DETOUR:PLAINTEXT"
        settings = {
            "process.roles": "broker,controller",
            "node.id": self._number,
            "controller.quorum.voters": voters,
            "listeners": f"{listen},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": advertised,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": protocols,
            "log.dirs": data,
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            # After a crash a broker can register again only when its old session has expired.
            "broker.session.timeout.ms": 4000,
            "broker.heartbeat.interval.ms": 500,
            "group.initial.rebalance.delay.ms": 0,
            # The offsets of a group that is down must be kept longer than any record. Otherwise the group
            # would look like a new one.
            "offsets.retention.minutes": OFFSETS_KEEP_MINUTES,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
        }
        return properties(settings)


def cluster_id(home: Path) -> str:
    """The cluster id of a *home* folder: always the same, so that nodes formatted later join the cluster.

    It has 22 hexadecimal digits, which are valid base64 as well. One in 64 ordinary ids begins with a "-",
    which the format tool takes for an option.
    """
    return uuid.uuid5(uuid.NAMESPACE_URL, str(home)).hex[:22]
