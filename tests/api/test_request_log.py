"""The lines of requests: no more in a second than the bound, unless every request is to have one."""

import io
import json
import logging

import pytest
import structlog

from orders_service import logs
from orders_service.api.request_log import LINES_PER_SECOND, RequestLog
from orders_service.per_second import PerSecond
from tests.api.kit import ORDERS, Api


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Where the lines are written."""
    stream, lines = io.StringIO(), logs.Lines()
    lines.use(logging.StreamHandler(stream), structlog.processors.JSONRenderer())
    monkeypatch.setattr(logs, "lines", lines)
    return stream


def note(api: Api, which: str, *, times: int) -> None:
    """Note a request that failed, several times."""
    log = RequestLog(which)
    with api.app.test_request_context(ORDERS) as context:
        for _ in range(times):
            log.note(context.request, 503, 0.001)


@pytest.mark.parametrize("which", ["errors", "slow"])
def test_an_overload_does_not_fill_the_log(api: Api, written: io.StringIO, which: str) -> None:
    times = 50 * LINES_PER_SECOND

    note(api, which, times=times)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    left_out = sum(line["count"] for line in lines if line["event"] == "requests without a line")
    assert LINES_PER_SECOND <= len(requests) < times
    assert len(requests) + left_out <= times


def test_every_request_has_a_line_if_that_is_asked_for(api: Api, written: io.StringIO) -> None:
    note(api, "all", times=3 * LINES_PER_SECOND)

    assert len(written.getvalue().splitlines()) == 3 * LINES_PER_SECOND


def test_what_was_left_out_is_counted_with_the_next_line(api: Api, written: io.StringIO) -> None:
    times = [1.0, 1.0, 1.0, 2.0]
    log = RequestLog("slow", bound=PerSecond(1, clock=iter(times).__next__))

    with api.app.test_request_context(ORDERS) as context:
        for _ in times:
            log.note(context.request, 503, 0.001)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line.get("count", line["event"]) for line in lines] == ["request", 2, "request"]
