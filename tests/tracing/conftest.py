"""Traces and who receives them."""

from collections.abc import Iterator

import pytest

from orders_service import tracing
from orders_service.tracing.recording import Recorder
from rig.traces import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of this test alone."""
    with receiving() as found:
        yield found


@pytest.fixture
def recorder(receiver: Receiver) -> Iterator[Recorder]:
    """The recorder of this process, which traces no request of its own accord."""
    tracing.start("test", endpoint=receiver.url, share=0, service="orders", broker="embedded")
    assert tracing.recorder is not None
    yield tracing.recorder
    tracing.close()
