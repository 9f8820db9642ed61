"""The sums for a number of orders a second."""

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.operations.sizing import Costs, Plan, Wanted, plan
from orders_service.processes import PROCESSES

# Each thing takes a millisecond of a core, and a hundred bytes. A worker does 750 orders a second.
EVEN = Costs({}, defaultdict(lambda: 1.0), defaultdict(lambda: 750.0), defaultdict(lambda: 100.0))
RATES = st.integers(1, 1_000_000)


def counts(found: Plan) -> dict[str, int]:
    return {need.name: need.count for need in (*found.processes, *found.servers)}


def test_a_thousand_orders_a_second_that_take_a_millisecond_each() -> None:
    wanted = Wanted(1000, utilization=0.5, server_cores=4, outbox_days=2, topic_days=3)

    found = plan(wanted, EVEN)

    # At half of its time a relay does 375 orders a second: so there are three cells.
    assert found.cells == 3
    assert counts(found) == {
        "api": 3 * (1 + 1),
        "orders-relay": 3 * (1 + 1),
        "stock-consumer": 3 + 1,
        "catalog-relay": 1 + 1,
        "status-consumer": 3 * (3 + 1),
        "MariaDB, orders": 3,
        "MariaDB, catalog": 1,
        "Kafka": 3,
    }
    assert found.partitions == 3
    assert found.limits == {"one product": 375, "the catalog's relay": 375, "the catalog's database": 2000}
    assert found.exceeded_by(1000) == ["the catalog's relay"]
    assert [(one.name, one.daily, one.days) for one in found.stored] == [
        ("orders tables", 8.64e9, None),
        ("orders outbox", 8.64e9, 2),
        ("orders binlog", 8.64e9, 7),
        ("catalog tables", 8.64e9, None),
        ("catalog outbox", 8.64e9, 2),
        ("catalog binlog", 8.64e9, 7),
        ("topics", 3 * 2 * 8.64e9, 3),
    ]
    # A record is received once and copied twice (sent and received). An answer is read by three cells.
    assert found.network == {"MariaDB, orders": 1e5, "MariaDB, catalog": 1e5, "Kafka": 1e5 * (6 + 8)}


@given(rate=RATES, more=RATES)
def test_more_orders_need_no_fewer_servers_and_no_fewer_cores(rate: int, more: int) -> None:
    less, all_ = (plan(Wanted(one), Costs.measured()) for one in (rate, rate + more))

    for few, many in zip(less.servers, all_.servers, strict=True):
        assert (few.name, few.count <= many.count, few.cores <= many.cores) == (many.name, True, True)
    for few, many in zip(less.processes, all_.processes, strict=True):
        assert few.cores <= many.cores * 1.000001


@given(rate=RATES, utilization=st.floats(0.1, 0.9), cores=st.integers(1, 256))
def test_no_process_and_no_server_is_busier_than_wanted_unless_a_limit_is_named(
    rate: int, utilization: float, cores: int
) -> None:
    found = plan(Wanted(rate, utilization, cores), Costs.measured())
    needs = [*found.processes, *found.servers]

    too_busy = {
        need.name
        for need in needs
        if need.cores > 1.000001 * utilization * need.count * (1 if need in found.processes else cores)
    }

    assert too_busy <= {"catalog-relay", "MariaDB, catalog"}
    assert not too_busy or found.exceeded_by(rate)


def test_the_measured_costs_name_every_process_and_server() -> None:
    costs = Costs.measured()

    assert {process.command for process in PROCESSES} <= costs.cpu_ms.keys()
    assert all(value > 0 for value in (*costs.cpu_ms.values(), *costs.bytes.values()))


@pytest.mark.parametrize("copies", [1, 5])
def test_each_copy_of_a_record_is_counted(copies: int) -> None:
    one = Wanted(1000, replication=copies)
    stored = {part.name: part.daily for part in plan(one, EVEN).stored}
    single = {part.name: part.daily for part in plan(replace(one, replication=1), EVEN).stored}

    assert stored["topics"] == copies * single["topics"]
