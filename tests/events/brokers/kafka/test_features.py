"""What other producers and administrators can do with Kafka: transactions, and topics created again."""

import os
import subprocess
import time
from contextlib import closing

import kafka
import pytest

from lab import Lab
from lab.java import class_path, jvm
from orders_service.events.brokers.kafka import positions
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Record
from orders_service.events.errors import EventsGone
from tests.events.brokers.kafka.log import Log, numbers, take

pytestmark = pytest.mark.real

SECONDS = 30.0
ANOTHER_TOPIC = "d3b07384-d9a0-4e9b-8d0f-0c4f6f2e1a77"  # As Kafka names one.
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"


@pytest.fixture
def log(lab: Lab) -> Log:
    return Log(lab.kafka.bootstrap)


def await_lag(log: Log, lag: int) -> None:
    """Poll as the group until it lags by *lag*."""
    deadline = time.monotonic() + SECONDS
    with closing(log.member()) as member:
        while (found := KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag) != lag:
            assert time.monotonic() < deadline, f"the lag stays at {found}"
            assert member.poll(seconds=0.2) == []


def test_records_of_an_aborted_transaction_are_never_read(log: Log) -> None:
    log.write(0)
    log.end_in("abort", *range(100, 700))
    log.end_in("commit", 1, 2)
    log.write(3)

    with closing(KafkaBroker(log.servers).read([log.topic], from_start=True)) as reader:
        assert numbers(take(reader, 4)) == [0, 1, 2, 3]
    assert log.read(4) == [0, 1, 2, 3]


def test_transactions_that_overlap_are_told_apart(log: Log) -> None:
    with log.transaction(0, 1) as good, log.transaction(100, 101) as bad:
        good.send(log.topic, key=b"k", value=b"2")
        good.flush()
        bad.send(log.topic, key=b"k", value=b"102")
        bad.flush()
        bad.abort_transaction()
        good.commit_transaction()
    log.write(3)

    assert log.read(4) == [0, 1, 2, 3]


def test_a_group_passes_over_what_nobody_is_given(log: Log) -> None:
    """Aborted records that the log drops later are no events that the group missed."""
    log.write(0)
    log.read(1)
    log.end_in("abort", *range(100, 130))

    await_lag(log, 0)

    log.trim(before=32)
    log.write(1)
    assert log.read(1) == [1]


def test_a_group_passes_over_them_while_another_partition_has_records(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "GAPS_SECONDS", 0.2)
    log = Log(lab.kafka.bootstrap, partitions=2)
    held: list[int] = []
    with closing(log.member()) as member, closing(kafka.KafkaProducer(bootstrap_servers=log.servers)) as busy:

        def one_more() -> Record:
            """Write a record to the first partition, and read it. No poll is empty."""
            busy.send(log.topic, value=b"0", partition=0)
            busy.flush()
            (record,) = member.poll(seconds=SECONDS)
            return record

        member.acknowledge([one_more()])
        log.end_in("abort", *range(100, 130), partition=1)
        deadline = time.monotonic() + SECONDS
        while log.committed(partition=1).offset < 31:
            assert time.monotonic() < deadline, "the aborted records are not passed over"
            held.append(one_more().offset)

    assert log.committed().offset == 1  # None of the others was acknowledged.
    assert held == list(range(1, len(held) + 1))


def test_offsets_behind_records_not_acknowledged_are_not_passed_over(log: Log) -> None:
    log.write(0)
    log.end_in("abort", 100)
    with closing(log.member()) as member:
        take(member, 1)
        member.poll(seconds=1)

    assert log.read(1) == [0]


def test_an_open_transaction_is_named_and_ends_by_kafkas_tool(log: Log) -> None:
    log.write(0)
    log.read(1)
    with log.transaction(1, name="forgotten"):
        log.write(2)
        (found,) = KafkaBroker(log.servers).open_transactions([log.topic])
        lag = KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag
        with closing(log.member()) as member:
            assert member.poll(seconds=1) == []
        abort = ["abort", "--topic", log.topic, "--partition", "0", "--start-offset", str(found.offset)]
        subprocess.run(
            jvm(TRANSACTIONS, "--bootstrap-server", log.servers, *abort, heap="128m", level="WARN"),
            env=os.environ | class_path(),
            check=True,
            capture_output=True,
            timeout=60,
        )

        assert log.read(1) == [2]

    assert (found.topic, found.partition, found.offset, found.waiting) == (log.topic, 0, 1, 2)
    assert found.transactional_id == "forgotten"
    assert 0 <= found.quiet_seconds < SECONDS
    assert lag == 0
    assert KafkaBroker(log.servers).open_transactions([log.topic]) == []


def test_a_topic_created_again_is_read_from_its_start(log: Log) -> None:
    log.write(*range(30))
    log.read(30)

    log.create_anew()
    log.write(*range(100, 200))

    assert KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag == 100
    assert log.read(100) == list(range(100, 200))
    assert KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag == 0


def test_a_topic_created_again_behind_the_back_of_a_member_is_read_from_its_start(log: Log) -> None:
    log.write(*range(30))
    seen: set[int] = set()
    deadline = time.monotonic() + 3 * SECONDS
    with closing(log.member()) as member:
        member.acknowledge(take(member, 30))
        log.create_anew()
        log.write(*range(100, 200))

        while len(seen) < 100:
            assert time.monotonic() < deadline, f"{100 - len(seen)} records were never read"
            records = member.poll(seconds=0.2)
            member.acknowledge(records)
            seen |= set(numbers(records))

    assert seen == set(range(100, 200))
    log.write(200)
    assert log.read(1) == [200]


def test_a_topic_created_again_that_lost_its_first_records_stops_the_group(log: Log) -> None:
    log.write(*range(100, 120))
    log.trim(before=5)
    log.commit(10, ANOTHER_TOPIC)

    with pytest.raises(EventsGone, match="5 records were deleted"):
        log.read(15)

    assert log.read(15, skip_gap=True) == list(range(105, 120))


def test_an_offset_of_another_topic_is_not_taken(log: Log) -> None:
    log.write(*range(10))
    log.commit(4, ANOTHER_TOPIC)

    assert KafkaBroker(log.servers).describe_group(log.group, [log.topic]).lag == 10
    assert log.read(10) == list(range(10))


def test_a_committed_offset_names_its_topic(log: Log) -> None:
    log.write(0)

    log.read(1)

    offset, metadata, _ = log.committed()
    assert offset == 1
    assert len(metadata) == 36


@pytest.mark.parametrize("metadata", ["", "set by a person"])
def test_an_offset_that_a_tool_set_is_taken_as_it_is(log: Log, metadata: str) -> None:
    log.write(*range(10))
    log.read(10)

    log.commit(4, metadata)

    assert log.read(6) == [4, 5, 6, 7, 8, 9]
