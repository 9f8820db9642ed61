"""The headline counts orders truthfully, be they few or many."""

import pytest

from orders_service.operations.road.headline import answered


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (1, "The newest order was answered within 30 ms."),
        (3, "The newest 3 orders were all answered within 30 ms."),
        (99, "The newest 99 orders were all answered within 30 ms."),
        (100, "Half of the newest 100 orders were answered within 9 ms, 99 of 100 within 30 ms."),
    ],
)
def test_a_share_of_a_hundred_is_said_of_a_hundred_orders(measured: int, said: str) -> None:
    assert answered(measured, 0.009, 0.030) == said
