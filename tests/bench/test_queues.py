"""The model of the queues, beside what theory says of simple ones."""

import random
from statistics import fmean

import pytest

from bench.queues import Station, Tandem, arrivals, counted

ORDERS = 50_000


def times(stations: list[Station], rate: float, *, cores: int = 1, together: int = 1) -> list[float]:
    chance = random.Random(1)
    return Tandem(stations, cores=cores).response_times(
        arrivals(rate, ORDERS, together=together, chance=chance)
    )


@pytest.mark.parametrize("busy", [0.5, 0.8, 0.9])
def test_one_at_a_time_waits_as_pollaczek_and_khinchin_say(busy: float) -> None:
    second = 0.001

    found = times([Station(batch=0, order=second, most=1)], busy / second)

    expected = second + busy * second / (2 * (1 - busy))
    assert fmean(counted(found)) == pytest.approx(expected, rel=0.1)


def test_an_order_that_meets_nobody_needs_the_sum_of_all_stations() -> None:
    road = Tandem([Station(0.002, 0.001), Station(0.003, 0.0005)], cores=1)

    found = road.response_times([0.0, 1.0, 2.0])

    assert found == pytest.approx([0.0065] * 3)


def test_batches_carry_more_than_one_order_at_a_time() -> None:
    together = times([Station(batch=0.001, order=0.0001)], 5000)

    assert max(together) < 0.05  # One by one, 5,000 orders a second would take 5.5 s of each second.


def test_those_who_come_together_are_one_batch() -> None:
    assert Tandem([Station(0.001, 0.001)], cores=1).response_times([0.0] * 4) == [0.005] * 4


def test_two_cores_carry_two_stations_at_once() -> None:
    stations = [Station(0, 0.001, most=1)] * 2

    with_one, with_two = (fmean(counted(times(stations, 450, cores=cores))) for cores in (1, 2))

    assert with_one > 2 * with_two
    assert with_two == pytest.approx(0.002, rel=0.5)
