"""What the tests of `doctor` share: its answer by check, and a log and databases to spoil."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import kafka
import pytest
from click.testing import CliRunner
from kafka.admin import ConfigResource
from sqlalchemy.engine import make_url

from lab import Lab
from orders_service.commands.doctor.command import main
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing
from rig import waiting
from rig.databases import Databases

SECONDS = 30.0
STUCK = timedelta(minutes=5)
Told = dict[str, dict[str, str]]


def doctor(code: int) -> Told:
    """What it tells, by check."""
    result = CliRunner().invoke(main, ["--json"], catch_exceptions=False)
    told = {line["check"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == code, told
    return told


def wrong(told: Told) -> list[str]:
    """What is not as it should be."""
    return [name for name, line in told.items() if line["level"] != "fine"]


def assert_only(told: Told, name: str, level: str, seen: str, do: str) -> None:
    """One thing is wrong, told with what to do."""
    assert wrong(told) == [name]
    assert told[name]["level"] == level
    assert re.search(seen, told[name]["seen"]), told[name]["seen"]
    assert do in told[name]["do"]


@contextmanager
def as_root(lab: Lab, change: str, back: str) -> Iterator[None]:
    """Something on the real server that only root may do, undone in the end."""
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(back)


def on_real_servers(function: Any) -> Any:
    """Run on the real MariaDB alone, beside a real Kafka."""
    return pytest.mark.real(pytest.mark.parametrize("databases", ["mariadb"], indirect=True)(function))


@dataclass
class Log:
    """Topics and groups of one test alone, on the real Kafka."""

    servers: str
    broker: KafkaBroker
    environment: dict[str, str]

    @property
    def topic(self) -> str:
        return self.environment["CATALOG_TOPIC"]

    @property
    def group(self) -> str:
        return self.environment["STOCK_GROUP"]

    def fill(self, count: int) -> None:
        with closing(self.broker.producer()) as producer:
            sent = producer.send([Outgoing(self.topic, b"k", str(n).encode()) for n in range(count)])
            assert producer.wait(sent, seconds=waiting.seconds(SECONDS))
            assert all(delivery.acknowledged for delivery in sent)

    def configure(self, **settings: str) -> None:
        """Change the topic as an operator would with Kafka's tools."""
        changes = {name.replace("_", "."): value for name, value in settings.items()}
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            admin.alter_configs([ConfigResource("TOPIC", self.topic, configs=changes)])


def as_a_service(lab: Lab, databases: Databases) -> Databases:
    """The same databases by accounts that may read and write rows, and no more."""
    urls: list[str] = []
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        for url in (databases.orders_url, databases.catalog_url):
            database = make_url(url).database
            user = f"{database}_service"
            cursor.execute(f"CREATE USER IF NOT EXISTS `{user}`@'%' IDENTIFIED BY 'pw'")
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO `{user}`@'%'")
            service = make_url(url).set(username=user, password="pw")
            urls.append(service.render_as_string(hide_password=False))
    return Databases(urls[0], urls[1])
