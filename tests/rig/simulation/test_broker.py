"""What the simulation decides about sending: fates, delays, and a broker that is down."""

from contextlib import closing

import pytest

from orders_service.events.brokers.port import BrokerError
from rig.simulation.broker import SimulatedBroker
from rig.simulation.scheduler import EPOCH, Scheduler
from rig.simulation.sending import Fate
from tests.rig.simulation.kit import GROUP, ONE, numbered, numbers, run, stored, write


def test_a_record_whose_acknowledgement_is_lost_is_in_the_log(broker: SimulatedBroker) -> None:
    broker.fate = lambda record: Fate(acknowledged=False)

    (delivery,) = write(broker, ONE, 1)

    assert isinstance(delivery.error, BrokerError)
    assert not delivery.permanent
    assert stored(broker) == [1]


def test_a_record_that_is_lost_is_an_error_and_not_in_the_log(broker: SimulatedBroker) -> None:
    broker.fate = lambda record: Fate(stored=record.value != b"1")

    lost, kept = write(broker, ONE, 1, 2)

    assert isinstance(lost.error, BrokerError)
    assert kept.acknowledged
    assert stored(broker) == [2]


def test_a_late_record_arrives_when_it_is_due(broker: SimulatedBroker, scheduler: Scheduler) -> None:
    broker.fate = lambda record: Fate(delay=2)
    producer = broker.producer()
    deliveries = producer.send(numbered(ONE, 1))

    soon = producer.wait(deliveries, seconds=1.5)
    later = producer.wait(deliveries, seconds=60)

    assert (soon, later, scheduler.now) == (False, True, 2)
    (record,) = broker.archive
    assert record.timestamp == (EPOCH.timestamp() + 2) * 1000


def test_a_record_never_passes_an_earlier_one_of_its_producer_and_partition(broker: SimulatedBroker) -> None:
    broker.fate = lambda record: Fate(delay=5 - int(record.value or b"0"))

    write(broker, ONE, 1, 2, 3)
    with closing(broker.producer()) as other:
        assert other.wait(other.send(numbered(ONE, 4)), seconds=60)

    assert stored(broker) == [1, 2, 3, 4]


def test_records_of_two_producers_arrive_in_the_order_in_which_they_are_due(broker: SimulatedBroker) -> None:
    broker.fate = lambda record: Fate(delay=5 - int(record.value or b"0"))
    one, other = broker.producer(), broker.producer()

    one.send(numbered(ONE, 1))
    other.send(numbered(ONE, 2))
    broker.scheduler.sleep(10)

    assert stored(broker) == [2, 1]


def test_a_delivery_that_takes_too_long_fails_and_its_record_may_arrive(broker: SimulatedBroker) -> None:
    broker.fate = lambda record: Fate(delay=40)

    (delivery,) = write(broker, ONE, 1)
    before = stored(broker)
    broker.scheduler.sleep(30)

    assert isinstance(delivery.error, BrokerError)
    assert (before, stored(broker)) == ([], [1])


def test_a_record_of_a_killed_process_is_still_stored(broker: SimulatedBroker, scheduler: Scheduler) -> None:
    broker.fate = lambda record: Fate(delay=1)
    scheduler.spawn("relay", lambda: write(broker, ONE, 1), owner="process")
    while not broker.in_flight:
        scheduler.run_one()

    scheduler.kill("process")
    scheduler.sleep(1)

    assert stored(broker) == [1]


def test_a_waiting_member_gets_a_record_when_it_is_due(broker: SimulatedBroker, scheduler: Scheduler) -> None:
    broker.fate = lambda record: Fate(delay=2)
    got: list[tuple[list[int], float]] = []

    def consume() -> None:
        member = broker.subscribe(GROUP, [ONE])
        got.append((numbers(member.poll(seconds=50)), scheduler.now))

    run(scheduler, consume, lambda: write(broker, ONE, 1))

    ((values, when),) = got
    assert values == [1]
    assert 2 <= when < 2.1


def test_while_the_broker_is_down_nothing_is_stored_or_read(
    broker: SimulatedBroker, scheduler: Scheduler
) -> None:
    """On Kafka: test_every_delivery_ends_and_close_is_soon_over_while_the_broker_hangs."""
    write(broker, ONE, 1)
    member = broker.subscribe(GROUP, [ONE])
    records = member.poll(seconds=0)
    broker.down = True

    (delivery,) = write(broker, ONE, 2)
    member.acknowledge(records)

    assert isinstance(delivery.error, BrokerError)
    assert scheduler.now == 30
    assert member.poll(seconds=1) == []
    for request in (
        broker.describe_topics,
        lambda: broker.describe_group(GROUP, [ONE]),
        lambda: broker.read([ONE], from_start=True),
        lambda: broker.subscribe("new", [ONE]).poll(seconds=1),
    ):
        with pytest.raises(BrokerError):
            request()
    broker.down = False
    assert broker.describe_group(GROUP, [ONE]).lag == 1
    assert stored(broker) == [1]


def test_records_in_flight_arrive_when_the_broker_is_up_again(broker: SimulatedBroker) -> None:
    producer = broker.producer()
    broker.down = True
    deliveries = producer.send(numbered(ONE, 1, 2))
    assert not producer.wait(deliveries, seconds=10)

    broker.down = False

    assert [delivery.acknowledged for delivery in deliveries] == [True, True]
    assert stored(broker) == [1, 2]
