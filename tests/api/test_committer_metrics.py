"""What the group commit counts: after the commit, and replays not at all."""

from collections.abc import Iterator

import pytest

from orders_service.metrics import REGISTRY
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import Api
from tests.api.test_committer import Held, wanted


@pytest.fixture
def held(databases: Databases) -> Iterator[Held]:
    found = Held(databases)
    yield found
    found.close()


class Growth:
    """How much a sample has grown since this was made."""

    def __init__(self) -> None:
        self._before = {name: _value(name) for name in NAMES}

    def __getitem__(self, name: str) -> float:
        return _value(name) - self._before[name]


NAMES = (
    "orders_placed_total",
    *("orders_committer_group_size_sum", "orders_committer_group_size_count"),
    *("orders_committer_commit_seconds_sum", "orders_committer_commit_seconds_count"),
)


def _value(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_a_group_is_counted_once_with_its_orders(held: Held) -> None:
    growth = Growth()

    answers = held.place(*(wanted() for _ in range(20)))
    held.go.set()
    for answer in answers:
        answer.result(30)

    await_true(lambda: growth["orders_placed_total"] == 20, "they are counted, after their answers")
    assert growth["orders_committer_group_size_count"] == 1
    assert growth["orders_committer_group_size_sum"] == 20
    assert growth["orders_committer_commit_seconds_count"] == 1
    assert growth["orders_committer_commit_seconds_sum"] > 0


def test_a_repeated_request_is_not_counted_as_placed(databases: Databases) -> None:
    with Api.on(databases) as api:
        growth = Growth()

        api.place(key="k")
        api.place(key="k")
        api.place(key="k", qty=2)
        api.place()

        await_true(lambda: growth["orders_placed_total"] >= 2, "the last is counted, too")
    assert growth["orders_placed_total"] == 2
    assert growth["orders_committer_group_size_sum"] == 2


def test_an_order_that_was_not_committed_is_not_counted(databases: Databases) -> None:
    with Api.on(databases) as api:
        with api.databases.orders.begin() as connection:
            connection.exec_driver_sql("DROP TABLE outbox")
        growth = Growth()

        assert api.place().status_code == 503

    assert growth["orders_placed_total"] == 0
    assert growth["orders_committer_group_size_count"] == 0
    assert growth["orders_committer_commit_seconds_count"] == 1


def test_the_queue_is_shown(held: Held) -> None:
    held.place(wanted(), wanted(), wanted())

    held.committer.show_queue()

    assert _value("orders_committer_queue") == 3
