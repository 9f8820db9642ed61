"""A log whose file cannot be read is told as the broker's error, as with Kafka."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.observer import Observer
from orders_service.events.brokers.port import BrokerError

TOPIC, GROUP = "orders", "stock"


def observed(broker: EmbeddedBroker, look: Callable[[Observer], object]) -> object:
    with closing(broker.observer()) as observer:
        return look(observer)


@pytest.mark.parametrize(
    "look",
    [
        lambda broker: observed(broker, lambda observer: observer.partitions([TOPIC])),
        lambda broker: observed(broker, lambda observer: observer.groups({GROUP: [TOPIC]})),
        lambda broker: observed(broker, lambda observer: observer.newest(TOPIC, 1)),
        lambda broker: broker.read([TOPIC], from_start=True),
        lambda broker: broker.read_since(TOPIC, b"key", since=0),
        lambda broker: broker.describe_topics(),
        lambda broker: broker.describe_group(GROUP, [TOPIC]),
    ],
    ids=["partitions", "groups", "newest", "read", "read since", "topics", "group"],
)
def test_a_file_without_its_tables_is_an_error_of_the_broker(
    tmp_path: Path, look: Callable[[EmbeddedBroker], object]
) -> None:
    broker = EmbeddedBroker(tmp_path / "log.db")
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        for table in ("topics", "records", "offsets"):
            file.execute(f"DROP TABLE {table}")

    with pytest.raises(BrokerError, match=r"the embedded log cannot be read: no such table"):
        look(broker)
