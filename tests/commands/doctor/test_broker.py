"""What `doctor` tells of the groups that read the log."""

from contextlib import closing

import kafka
import pytest

from rig import waiting
from tests.commands.doctor.kit import SECONDS, Log, assert_only, doctor
from tests.flow_kit import Flow

pytestmark = pytest.mark.usefixtures("own_port")


def test_a_log_that_nobody_reads_is_told(place: Flow) -> None:
    place.place()
    while place.orders_relay.step():
        pass

    told = doctor(0)

    assert_only(told, "group catalog-stock", "warning", "^1 unread in example-catalog-topic$", "run")


@pytest.mark.real
def test_a_group_without_consumers_is_told_and_wrong_once_records_wait(log: Log) -> None:
    before = doctor(5)
    log.fill(7)
    after = doctor(5)

    name = f"group {log.group}"
    assert (before[name]["level"], after[name]["level"]) == ("warning", "wrong")
    assert after[name]["seen"] == f"no consumer, 7 unread in {log.topic}"
    assert after[name]["do"] == "start orders-service stock-consumer"


@pytest.mark.real
def test_a_group_with_a_consumer_is_well(log: Log) -> None:
    with closing(log.broker.subscribe(log.group, [log.topic])) as subscription:
        subscription.poll(seconds=1)

        told = doctor(5)

    assert told[f"group {log.group}"]["seen"] == f"0 unread in {log.topic}, 1 consumer"


@pytest.mark.real
def test_records_that_were_dropped_unread_are_wrong(log: Log) -> None:
    log.fill(10)
    with closing(log.broker.subscribe(log.group, [log.topic])) as subscription:
        deadline = waiting.Deadline(SECONDS)
        while not (records := subscription.poll(seconds=1)):
            assert not deadline.over
        subscription.acknowledge(records[:3])
    with closing(kafka.KafkaAdminClient(bootstrap_servers=log.servers)) as admin:
        admin.delete_records({kafka.TopicPartition(log.topic, records[0].partition): 8})

    told = doctor(5)

    assert told[f"group {log.group}"]["level"] == "wrong"
    assert told[f"group {log.group}"]["seen"].endswith("deleted 5 records before they were read")
    assert "how to send them again" in told[f"group {log.group}"]["do"]
