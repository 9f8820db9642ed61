"""Databases, a log and a port, where the doctor looks."""

import uuid
from pathlib import Path

import pytest

from lab import Ports
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import TopicSpec
from rig.deployment import groups
from tests.commands.doctor.kit import Log
from tests.flow_kit import Flow


@pytest.fixture
def own_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port on which nobody's API runs."""
    port = Ports.free().connect
    monkeypatch.setenv("API_PORT", str(port))
    return port


@pytest.fixture
def place(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Databases, real or embedded, and an embedded log, where the doctor looks."""
    shown = flow.databases.environment | {
        "STATE_DIR": flow.settings.state_dir,
        "TOPIC_PARTITIONS": str(flow.settings.topic_partitions),
    }
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    return flow


@pytest.fixture
def log(kafka_servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """A log as it should be, but that nobody reads it; the databases are empty and embedded."""
    name = uuid.uuid4().hex[:8]
    environment = {
        "BROKER": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
        "STATE_DIR": str(tmp_path),
        "CATALOG_TOPIC": f"catalog-{name}",
        "STOCK_TOPIC": f"stock-{name}",
        **groups(name),
        "TOPIC_PARTITIONS": "2",
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    broker = KafkaBroker(kafka_servers)
    broker.create_topics([environment["CATALOG_TOPIC"], environment["STOCK_TOPIC"]], TopicSpec(partitions=2))
    return Log(kafka_servers, broker, environment)
