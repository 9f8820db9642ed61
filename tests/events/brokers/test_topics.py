"""Topics are created once, and as they are asked for."""

import pytest

from orders_service.events.brokers.port import Broker, BrokerError, TopicSpec
from tests.events.brokers.kit import on_kafka, unique


def test_topics_are_created_once(broker: Broker, topic: str) -> None:
    new = unique("new")

    assert broker.create_topics([topic, new], TopicSpec(partitions=5)) == [new]
    assert broker.create_topics([topic, new], TopicSpec(partitions=9)) == []

    partitions = {found.name: found.partitions for found in broker.describe_topics()}
    assert (partitions[topic], partitions[new]) == (3, 5)


@on_kafka
def test_topics_are_created_as_they_are_asked_for(broker: Broker) -> None:
    topic = unique("spec")
    spec = TopicSpec(partitions=4, retention_days=3, max_message_bytes=50_000)

    broker.create_topics([topic], spec)

    (found,) = [one for one in broker.describe_topics() if one.name == topic]
    assert (found.partitions, found.replication, found.in_sync) == (4, 1, 1)
    assert found.settings.items() >= {
        ("cleanup.policy", "delete"),
        ("compression.type", "uncompressed"),
        ("max.message.bytes", "50000"),
        ("message.timestamp.type", "LogAppendTime"),
        ("min.insync.replicas", "1"),
        ("retention.bytes", "-1"),
        ("retention.ms", "259200000"),
        ("unclean.leader.election.enable", "false"),
    }


@on_kafka
def test_more_copies_than_there_are_brokers_are_refused_with_the_reason(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=r"topic copies-.* replication factor"):
        broker.create_topics([unique("copies")], TopicSpec(replication=3))
