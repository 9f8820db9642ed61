"""Which requests and records are traced."""

from itertools import pairwise

import pytest

from orders_service import tracing
from orders_service.per_second import PerSecond
from orders_service.tracing.deciding import REQUESTS_PER_SECOND
from orders_service.tracing.recording import Recorder
from rig.traces import Receiver

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}"


def request(recorder: Recorder, traceparent: str | None) -> tuple[str | None, bool]:
    """The `traceparent` that a request goes on with, and whether it is traced."""
    environ = {} if traceparent is None else {"HTTP_TRACEPARENT": traceparent}
    span = recorder.begin_request(environ)
    if span is not None:
        span.end("GET", status=200)
    return environ.get("HTTP_TRACEPARENT"), span is not None


@pytest.mark.parametrize(
    ("flags", "traced"), [("00", False), ("02", False), ("01", True), ("03", True), ("ff", True)]
)
def test_the_flag_of_a_client_decides(recorder: Recorder, flags: str, traced: bool) -> None:
    sent = f"{TRACEPARENT}-{flags}"

    known, is_traced = request(recorder, sent)

    assert is_traced is traced
    assert (known == sent) is not traced
    assert known is not None
    assert known.startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "invalid",
    [
        "",
        "01",
        f"{TRACEPARENT}-01-x",
        f"{TRACEPARENT}-01\n",
        f"{TRACEPARENT}-0١",
        f"{TRACEPARENT.upper()}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{TRACEPARENT}-01,{TRACEPARENT}-01",
        "0" * 100_000,
    ],
)
def test_an_invalid_traceparent_is_as_none(recorder: Recorder, invalid: str) -> None:
    assert request(recorder, invalid) == (invalid, False)


def test_a_client_cannot_have_more_traced_than_the_bound(recorder: Recorder, receiver: Receiver) -> None:
    count = 5 * REQUESTS_PER_SECOND

    traced = sum(request(recorder, f"{TRACEPARENT}-01")[1] for _ in range(count))
    tracing.close()

    # The loop may take more than one second on a busy machine.
    assert REQUESTS_PER_SECOND <= traced < count
    assert len(receiver.spans) == traced


def test_a_bound_holds_in_each_second() -> None:
    times = [10.0, 10.4, 10.9, 11.0, 11.1, 11.2]

    bound = PerSecond(2, clock=iter(times).__next__)

    assert [bound.take() for _ in times] == [True, True, False, True, True, False]


@pytest.mark.parametrize(("share", "traced"), [(0.0, 0), (1.0, 50)])
def test_the_part_of_the_other_requests_is_as_set(receiver: Receiver, share: float, traced: int) -> None:
    tracing.start("test", endpoint=receiver.url, share=share, service="orders", broker="embedded")
    assert tracing.recorder is not None

    known = [request(tracing.recorder, None)[0] for _ in range(50)]
    tracing.close()

    assert len(receiver.spans) == traced
    assert {span.parent_id for span in receiver.spans} <= {""}
    assert all(text != other for text, other in pairwise(known)) is bool(traced)


def test_nothing_is_traced_without_a_receiver() -> None:
    tracing.start("test", endpoint="", share=1, service="orders", broker="embedded")

    assert tracing.recorder is None


def test_records_of_a_stranger_are_traced_within_a_bound(recorder: Recorder) -> None:
    batch = recorder.begin_process("group", "topic", [f"{TRACEPARENT}-01"] * 20_000)

    assert batch is not None
    assert len(list(batch.places)) <= 2000  # The bound of two seconds.


@pytest.mark.parametrize("text", [None, "x1", f"{TRACEPARENT}-00", f"00-{'0' * 32}-{PARENT}-01"])
def test_records_that_say_no_or_nonsense_are_not_traced(recorder: Recorder, text: str | None) -> None:
    assert recorder.begin_process("group", "topic", [text]) is None
    assert recorder.begin_send("topic", [text]) is None
    assert recorder.begin_group([text], "sqlite") is None
