"""Measures the cost of observation: a process as it is, and one that is scraped and traced at 1 %.

A hundredth of the events and records in these measurements belongs to a request that is traced.
"""

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import consuming, posting, relaying
from bench.posting import Subject
from bench.stage import Stage
from lab import Ports
from rig.processes import service
from rig.traces import Receiver, receiving

WATCHED = "ours, scraped and traced at 1 %"
SCRAPE_SECONDS = 1.0

Rounds = dict[str, list[dict[str, float]]]


def watched(stage: Stage, *, rounds: int, seconds: int) -> dict[str, Rounds]:
    """The rates of the API, the orders' relay and the stock consumer, watched and not, in turn."""
    with receiving() as traces:
        measures = {
            "POST, watched": _posts(stage, traces, rounds, seconds),
            "relay, watched": _relays(stage, traces, rounds),
            "consumer, watched": _consumers(stage, traces, rounds),
        }
    assert traces.spans, "nothing was traced"
    return measures


def _posts(stage: Stage, traces: Receiver, rounds: int, seconds: int) -> Rounds:
    workers = {"API_WORKERS": str(posting.WORKERS)}
    settings = _watching(traces)
    plain = stage.serve("api", service("api"), **workers)
    observed = stage.serve("api-watched", service("api"), **workers, **settings)
    subjects = [Subject("ours", *plain), Subject(WATCHED, *observed)]
    with _scraped(settings):
        found = posting.rates(stage, subjects, connections=64, rounds=rounds, seconds=seconds)
    for subject in subjects:
        subject.process.end()
    return found


def _relays(stage: Stage, traces: Receiver, rounds: int) -> Rounds:
    return _in_turn(lambda **settings: relaying.backlog_once(stage, **settings), traces, rounds)


def _consumers(stage: Stage, traces: Receiver, rounds: int) -> Rounds:
    consuming.produce(stage, "bench-watched", consuming.PRODUCTS)
    return _in_turn(
        lambda **settings: consuming.backlog_once(stage, "bench-watched", **settings), traces, rounds
    )


def _in_turn(measure: Callable[..., dict[str, float]], traces: Receiver, rounds: int) -> Rounds:
    """Measure with and without, and backwards each second time: MariaDB still purges the rows before."""
    found: Rounds = {"ours": [], WATCHED: []}
    for number in range(rounds):
        for subject in found if number % 2 == 0 else reversed(found):
            if subject == "ours":
                found[subject].append(measure())
            else:
                settings = _watching(traces)
                with _scraped(settings):
                    found[subject].append(measure(**settings))
    return found


def _watching(traces: Receiver) -> dict[str, str]:
    return {
        "METRICS_PORT": str(Ports.free().connect),
        "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    }


@contextmanager
def _scraped(settings: dict[str, str]) -> Iterator[None]:
    """Read the process's metrics each second, while the block lasts."""
    ended = threading.Event()
    url = f"http://127.0.0.1:{settings['METRICS_PORT']}/metrics"

    def scrape() -> None:
        while not ended.wait(SCRAPE_SECONDS):
            try:
                urllib.request.urlopen(url, timeout=5).read()
            except OSError:
                continue  # It is not up yet.

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
