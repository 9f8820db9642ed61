"""The metrics of consumers in a real consumer group: rebalances, and the lag of each partition."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orders_service.database.engines import session_maker
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing, TopicSpec
from orders_service.events.consumer import Consumer
from orders_service.workers import loop
from rig.databases import Databases
from rig.waiting import await_true
from tests.events.brokers.kit import deliver, unique
from tests.events.kit import order
from tests.metrics.growth import Growth, series

pytestmark = pytest.mark.real


class Group:
    """A topic of three partitions on Kafka, and consumers of one group."""

    def __init__(self, databases: Databases, servers: str) -> None:
        self.name, self.topic = unique("group"), unique("topic")
        self.broker = KafkaBroker(servers)
        self.broker.create_topics([self.topic], TopicSpec(partitions=3))
        self._url = databases.catalog_url

    def consumer(self) -> Consumer:
        return Consumer(
            session_maker(self._url),
            self.broker.subscribe(self.name, [self.topic]),
            lambda *_: [],
            group=self.name,
            topics=[self.topic],
            database="catalog",
            poll_seconds=0.2,
        )

    def lags(self) -> dict[str, float]:
        """The lag of each partition that is shown."""
        found = {labels: lag for (name, labels), lag in series().items() if name == "orders_consumer_lag"}
        return {
            dict(labels)["partition"]: lag for labels, lag in found.items() if ("group", self.name) in labels
        }


@pytest.fixture
def group(tmp_path: Path, kafka_servers: str) -> Iterator[Group]:
    databases = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    databases.migrate()
    yield Group(databases, kafka_servers)
    databases.dispose()


def test_an_idle_consumer_shows_0_for_each_partition(group: Group) -> None:
    with closing(group.consumer()) as consumer:
        await_true(lambda: not consumer.step() and len(group.lags()) == 3, "every partition is shown")

        assert group.lags() == {"0": 0, "1": 0, "2": 0}

    assert group.lags() == {}


def test_two_consumers_count_their_rebalances_and_show_their_partitions(group: Group) -> None:
    growth, stop = Growth(), loop.Stop()
    rebalances = "orders_consumer_rebalances_total"
    with closing(group.consumer()) as first, closing(group.broker.producer()) as producer:
        deliver(producer, [Outgoing(group.topic, str(n).encode(), order(str(n))) for n in range(300)])
        await_true(lambda: not first.step() and len(group.lags()) == 3, "it has every partition")
        assert growth.of(rebalances, group=group.name) == 0
        thread = threading.Thread(
            target=loop.repeat_steps, args=(group.consumer(), "second", stop), kwargs={"step_seconds": 120}
        )

        thread.start()
        await_true(
            lambda: first.step() is not None and growth.of(rebalances, group=group.name) > 0,
            "the first takes part in a rebalance",
        )
        stop.set()
        thread.join()
        await_true(
            lambda: not first.step() and group.lags() == {"0": 0, "1": 0, "2": 0},
            "the first has every partition again",
        )

    assert growth.by("orders_consumer_records_total", "outcome", group=group.name) == {"applied": 300}
