"""Where a group reads on when Kafka's log is not what it was; and who reads."""

import time
from contextlib import closing

import kafka
import pytest
from kafka.admin import ConfigResource

from lab import Lab
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Record
from orders_service.events.errors import EventsGone, InstanceTaken
from orders_service.settings import Settings
from rig import waiting
from tests.events.brokers.kafka.log import Log, take

pytestmark = pytest.mark.real


@pytest.fixture
def log(lab: Lab) -> Log:
    return Log(lab.kafka.bootstrap)


def test_a_group_that_missed_deleted_records_stops_and_says_what_to_do(log: Log) -> None:
    log.write(*range(10))
    assert log.read(10) == list(range(10))
    log.write(*range(10, 20))
    log.trim(before=15)

    for _ in range(2):  # Started again, it stops again.
        with pytest.raises(EventsGone, match=r"5 records were deleted.*outbox requeue.*--skip-gap"):
            log.read(1)


@pytest.mark.parametrize("left", [5, 0], ids=["some are left", "none is left"])
def test_told_to_skip_the_gap_it_goes_on_for_good(log: Log, left: int) -> None:
    log.write(*range(10))
    log.read(10)
    log.write(*range(10, 20))
    log.trim(before=20 - left)

    assert log.read(left, skip_gap=True) == list(range(20 - left, 20))
    if not left:
        with closing(log.member(skip_gap=True)) as member:
            member.poll(seconds=3)
    log.write(20)

    assert log.read(1) == [20]


def test_records_deleted_after_they_were_read_are_no_gap(log: Log) -> None:
    log.write(*range(10))
    log.read(10)
    log.trim(before=10)
    log.write(10)

    assert log.read(1) == [10]


def test_a_new_group_begins_where_the_log_does(log: Log) -> None:
    log.write(*range(10))
    log.trim(before=7)

    assert log.read(3) == [7, 8, 9]


def test_a_group_that_is_away_is_remembered_for_longer_than_the_outbox_keeps_anything(log: Log) -> None:
    with closing(kafka.KafkaAdminClient(bootstrap_servers=log.servers)) as admin:
        asked = ConfigResource("BROKER", "1", configs=["offsets.retention.minutes"])
        (answer,) = admin.describe_configs([asked], config_filter="all")["broker"].values()

    days = int(answer["offsets.retention.minutes"]["value"]) / (24 * 60)
    assert days > Settings.outbox_keep_days


def test_a_log_shorter_than_what_was_read_is_read_from_its_beginning(log: Log) -> None:
    log.write(*range(3))
    with closing(log.member()) as member:
        (last, *_) = reversed(take(member, 3))
        member.acknowledge([Record(log.topic, 0, 1000, last.timestamp, None, None, ())])

    assert log.read(3) == [0, 1, 2]


def test_the_place_in_a_log_that_is_no_more_is_forgotten_at_once(log: Log) -> None:
    log.write(0)
    with closing(log.member()) as member:
        (only,) = take(member, 1)
        member.acknowledge([Record(log.topic, 0, 1000, only.timestamp, None, None, ())])

    with closing(log.member()) as member:
        take(member, 1)  # And it dies before it has applied anything.

    assert KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag == 1


def test_of_two_members_with_one_name_the_first_stops(log: Log) -> None:
    log.write(0)
    with closing(log.member(instance="one")) as first, closing(log.member(instance="one")) as second:
        take(first, 1)
        take(second, 1)

        with pytest.raises(InstanceTaken, match="another process joined group"):
            take(first, 1)


def test_a_named_member_that_comes_back_has_its_partitions_at_once(log: Log) -> None:
    log.write(0)
    with closing(log.member(instance="one")) as before:
        before.acknowledge(take(before, 1))
    log.write(1)

    began = time.monotonic()
    with closing(log.member(instance="one")) as after:
        assert [record.value for record in take(after, 1)] == [b"1"]
    assert time.monotonic() - began < waiting.seconds(
        10
    )  # A member with another name waits until the session has ended.
