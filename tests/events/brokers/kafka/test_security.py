"""Kafka over TLS and with users: who is let in, and what the others are told. All with the real broker."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lab import LabError, Ports
from lab.broker import Broker as Server
from lab.java import properties
from lab.ports import is_free
from orders_service.broker_client import broker
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.kafka.security import Security
from orders_service.events.brokers.port import BrokerError, Outgoing, Producer, Subscription, TopicSpec
from orders_service.settings import Settings
from rig import waiting
from tests.certificates import Authority

pytestmark = pytest.mark.real
USER, PASSWORD = "orders", "orders-pw"
MODULE = "org.apache.kafka.common.security"
SECONDS = 30.0


class SecureServer(Server):
    """The lab's broker, with three more doors: TLS and a user, a user alone, TLS and a certificate."""

    def __init__(self, home: Path, ports: Ports, authority: Authority) -> None:
        super().__init__(1, 1, home, ports)
        self._doors = {
            "SASL_SSL": ports.brokers[1],
            "SASL_PLAINTEXT": ports.brokers[2],
            "SSL": ports.connect,
        }
        certificate, key = authority.vouch_for("kafka")
        self._store = home / "kafka-with-key.pem"
        self._store.write_text(key.read_text() + certificate.read_text())
        self._authority = authority

    def door(self, protocol: str) -> str:
        return f"127.0.0.1:{self._doors[protocol]}"

    def answers(self) -> bool:
        """The doors open one after the other."""
        return super().answers() and not any(map(is_free, self._doors.values()))

    def _properties(self, data: Path) -> str:
        doors = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self._doors.items())
        plain = f"PLAINTEXT://127.0.0.1:{self.ports[0]}"
        scram = f"{MODULE}.scram.ScramLoginModule required;"
        known = f'{MODULE}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        settings = {
            "listeners": f"{plain},{doors},CONTROLLER://127.0.0.1:{self.ports[1]}",
            "advertised.listeners": f"{plain},{doors}",
            "listener.security.protocol.map": ",".join(
                f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}"
                for name in ("PLAINTEXT", "CONTROLLER", *self._doors)
            ),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._authority.certificate,
            "listener.name.ssl.ssl.client.auth": "required",
        }
        for door in ("sasl_ssl", "sasl_plaintext"):
            settings[f"listener.name.{door}.plain.sasl.jaas.config"] = known
            settings[f"listener.name.{door}.scram-sha-256.sasl.jaas.config"] = scram
            settings[f"listener.name.{door}.scram-sha-512.sasl.jaas.config"] = scram
        return super()._properties(data) + properties(settings)  # Of two lines with one name the last counts.

    def _format(self, new: Path, work: Path) -> list[str]:
        users = [
            f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]"  # One line for each way to say it.
            for bits in (256, 512)
        ]
        return [*super()._format(new, work), *(word for user in users for word in ("--add-scram", user))]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureServer]:
    """A real Kafka of this module alone, which lets not everybody in."""
    found = SecureServer(tmp_path_factory.mktemp("kafka"), Ports.free(), authority)
    try:
        found.start()
        yield found
    except LabError as error:
        pytest.skip(f"the lab cannot run here: {error}")
    finally:
        found.stop()


def settings(server: SecureServer, protocol: str, **others: str) -> Settings:
    """A process that goes in by this door."""
    return Settings.read(
        {
            "BROKER": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": server.door(protocol),
            "KAFKA_SECURITY_PROTOCOL": protocol,
            **others,
        }
    )


def secure(server: SecureServer, authority: Authority, **others: str) -> KafkaBroker:
    """The door with TLS and a user, with what differs from the right way in."""
    right = Security("SASL_SSL", "SCRAM-SHA-512", USER, PASSWORD, str(authority.certificate))
    return KafkaBroker(server.door("SASL_SSL"), security=replace(right, **others))


def told(broker: KafkaBroker) -> str:
    """What someone is told who is not let in; soon, once, and nothing stays."""
    threads, began = threading.active_count(), time.monotonic()

    with pytest.raises(BrokerError) as refusal:
        broker.describe_topics()
    (delivery,) = broker.producer().send([Outgoing("topic", b"k", b"v")])

    assert time.monotonic() - began < waiting.seconds(15)
    assert str(delivery.error) == str(refusal.value)
    assert not delivery.permanent
    while threading.active_count() > threads:
        assert time.monotonic() - began < waiting.seconds(SECONDS), "a client's thread has stayed"
        time.sleep(0.02)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


WITH_USER = {"KAFKA_USERNAME": USER, "KAFKA_PASSWORD": PASSWORD}


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("SASL_SSL", "SCRAM-SHA-256"),
        ("SASL_SSL", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("SSL", ""),
    ],
)
def test_who_is_let_in_sends_and_receives(
    server: SecureServer, authority: Authority, protocol: str, mechanism: str
) -> None:
    certificate, key = authority.vouch_for("client")
    given: dict[str, str] = WITH_USER | {"KAFKA_SASL_MECHANISM": mechanism} if mechanism else {}
    if protocol.endswith("SSL"):
        given |= {"KAFKA_CA_FILE": str(authority.certificate)}
    if protocol == "SSL":
        given |= {"KAFKA_CERTIFICATE_FILE": str(certificate), "KAFKA_KEY_FILE": str(key)}
    kafka = broker(settings(server, protocol, **given))
    topic = f"{protocol}-{mechanism}"

    kafka.create_topics([topic], TopicSpec(partitions=1))
    with closing(kafka.producer()) as producer, closing(kafka.subscribe(f"g-{topic}", [topic])) as member:
        deliveries = producer.send([Outgoing(topic, b"k", b"v")])
        assert producer.wait(deliveries, seconds=waiting.seconds(SECONDS))
        assert deliveries[0].acknowledged, deliveries[0].error
        deadline = waiting.Deadline(SECONDS)
        while not (records := member.poll(seconds=1)):
            assert not deadline.over, "nothing was received"
        member.acknowledge(records)
    with closing(kafka.read([topic], from_start=True)) as reader:
        assert [record.value for record in reader.poll(seconds=waiting.seconds(5))] == [b"v"]

    assert [record.value for record in records] == [b"v"]


def test_over_tls_too_everything_ends_while_a_server_hangs_and_goes_on_after(
    server: SecureServer, authority: Authority
) -> None:
    kafka = secure(server, authority)
    kafka.create_topics(["hangs"], TopicSpec(partitions=1))
    with closing(kafka.producer()) as producer, closing(kafka.subscribe("hangs", ["hangs"])) as member:
        receive(member, producer, b"1")
        server.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            deliveries = producer.send([Outgoing("hangs", b"k", b"lost")])
            assert producer.wait(deliveries, seconds=waiting.seconds(SECONDS))
            with pytest.raises(BrokerError):
                kafka.describe_topics()
            took = time.monotonic() - began
        finally:
            server.signal(signal.SIGCONT)

        receive(member, producer, b"2")

    assert deliveries[0].error
    assert took < waiting.seconds(SECONDS)


def receive(member: Subscription, producer: Producer, value: bytes) -> None:
    """Send until it arrives."""
    deadline = waiting.Deadline(SECONDS)
    while True:
        assert not deadline.over, "nothing has arrived"
        producer.wait(producer.send([Outgoing("hangs", b"k", value)]), seconds=waiting.seconds(SECONDS))
        try:
            records = member.poll(seconds=1)
        except BrokerError:
            continue
        member.acknowledge(records)
        if value in [record.value for record in records]:
            return


def test_a_wrong_password_is_told(server: SecureServer, authority: Authority) -> None:
    said = told(secure(server, authority, password="s3cret"))

    assert "SASL_SSL with SCRAM-SHA-512 as orders: " in said
    assert "rejects this user and password" in said
    assert "s3cret" not in said


def test_a_certificate_that_nobody_known_vouches_for_is_told(
    server: SecureServer, tmp_path: Path, authority: Authority
) -> None:
    said = told(secure(server, authority, ca_file=str(Authority(tmp_path, "another").certificate)))

    assert f"{server.door('SASL_SSL')}: its certificate is not trusted: " in said


def test_a_door_without_tls_is_told(server: SecureServer, authority: Authority) -> None:
    right = Security("SASL_SSL", "SCRAM-SHA-512", USER, PASSWORD, str(authority.certificate))

    said = told(KafkaBroker(server.where, security=right))

    assert said.startswith(f"cannot connect to Kafka: {server.where}: ")


def test_a_way_that_kafka_does_not_speak_is_told(server: SecureServer) -> None:
    said = told(KafkaBroker(server.door("SASL_SSL")))

    assert said == (
        f"no answer from Kafka at {server.door('SASL_SSL')} over PLAINTEXT: "
        "the broker hangs, requires authentication, or expects another security protocol"
    )


def test_a_missing_certificate_is_told(server: SecureServer, authority: Authority) -> None:
    without = Security("SSL", ca_file=str(authority.certificate))

    said = told(KafkaBroker(server.door("SSL"), security=without))

    assert "over SSL: the broker hangs, requires authentication" in said


def test_certificates_that_are_gone_are_told(server: SecureServer, authority: Authority) -> None:
    said = told(secure(server, authority, ca_file="/nowhere/ca.pem"))

    assert said.startswith("cannot load the certificates for Kafka: ")
