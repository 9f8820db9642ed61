"""The course's practice, from Kafka's tools to one table behind a sink."""

import io
from collections.abc import Iterator

import pytest

from lab import Lab
from lab.practice import STEPS, practice
from orders_service.connect import Connect


@pytest.fixture
def bare(lab: Lab) -> Iterator[Lab]:
    """The lab without connectors, before and after."""
    connect = Connect(lab.connect.url)
    for name in connect.names():
        connect.delete(name)
    yield lab
    for name in connect.names():
        connect.delete(name)


@pytest.mark.real
@pytest.mark.timeout(300)
def test_every_step_of_the_practice_shows_what_a_learner_should_see(bare: Lab) -> None:
    out = io.StringIO()

    walked = practice(bare, out=out)

    assert walked, out.getvalue()
    assert out.getvalue().count("\n✔") == len(STEPS)
