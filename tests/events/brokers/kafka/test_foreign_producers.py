"""What producers that are not ours may put into a topic, and our library may not be able to read."""

import os
import subprocess
import uuid
from contextlib import closing

import kafka
import pytest

from lab import Lab
from lab.java import class_path, jvm
from lab.tools import KAFKA
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Record, TopicSpec
from orders_service.events.errors import BeyondReading
from rig import waiting

pytestmark = pytest.mark.real

SECONDS = 30.0


class BadName(str):
    """A header's name that is other bytes on the wire than UTF-8."""

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


class Foreign:
    """A topic that others write to, and how they do."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.topic, self.group = f"topic-{uuid.uuid4().hex}", f"group-{uuid.uuid4().hex}"
        self.broker = KafkaBroker(servers)

    def create(self) -> None:
        """As `topics create` does."""
        self.broker.create_topics([self.topic], TopicSpec(partitions=1))

    def create_otherwise(self) -> None:
        """As Kafka does by itself: batches stay as their producer packed them."""
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            admin.create_topics({self.topic: {"num_partitions": 1, "replication_factor": 1}})
            admin.wait_for_topics([self.topic])

    def type(self, codec: str, *lines: str) -> None:
        """Write *lines* with Kafka's own console producer."""
        arguments = ["--bootstrap-server", self.servers, "--topic", self.topic, "--compression-codec", codec]
        subprocess.run(
            jvm(KAFKA["kafka-console-producer"], *arguments, heap="128m", level="WARN"),
            env=os.environ | class_path(),
            input="".join(f"{line}\n" for line in lines),
            text=True,
            check=True,
            capture_output=True,
            timeout=waiting.seconds(60),
        )

    def send(self, value: bytes, header: str) -> None:
        with closing(kafka.KafkaProducer(bootstrap_servers=self.servers)) as producer:
            producer.send(self.topic, value, headers=[(header, b"")]).get(waiting.seconds(SECONDS))

    def read(self, count: int) -> list[bytes | None]:
        """What a member of the group gets, and acknowledges."""
        records: list[Record] = []
        deadline = waiting.Deadline(SECONDS)
        with closing(self.broker.subscribe(self.group, [self.topic])) as member:
            while len(records) < count:
                assert not deadline.over, f"only {len(records)} of {count} records have come"
                found = member.poll(seconds=0.2)
                member.acknowledge(found)
                records += found
        return [record.value for record in records]


@pytest.fixture
def foreign(lab: Lab) -> Foreign:
    return Foreign(lab.kafka.bootstrap)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_a_record_is_read_however_its_producer_packed_it(foreign: Foreign, codec: str) -> None:
    foreign.create()

    foreign.type(codec, "one", "two", "three")

    assert foreign.read(3) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("how", ["codec", "header"])
def test_what_the_library_cannot_read_stops_loudly_and_names_its_place(foreign: Foreign, how: str) -> None:
    foreign.create_otherwise()
    foreign.send(b"good", "name")
    if how == "codec":
        foreign.type("lz4", "packed")
    else:
        foreign.send(b"bad", BadName("name"))
    foreign.send(b"behind", "name")

    assert foreign.read(1) == [b"good"]
    for _ in range(2):  # Started again, it stops again.
        with pytest.raises(BeyondReading, match=rf"{foreign.topic}-0@1 cannot be read: .*--to-offset"):
            foreign.read(1)
