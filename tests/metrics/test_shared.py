"""Processes that count in slots: their numbers are added up, and a slot that is taken again goes on."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from orders_service.metrics import exposition
from orders_service.metrics.shared import SharedNumbers
from rig import waiting
from tests.metrics.kit import Samples, samples

PROGRAM = """
import sys
from pathlib import Path
from orders_service.metrics import committer, http
from orders_service.metrics.shared import SharedNumbers
early = http.REQUESTS.labels("/early", "GET", 200)
early.inc(100)  # Before the process has a slot: it is nobody's.
SharedNumbers(Path(sys.argv[1])).take(int(sys.argv[2]))
early.inc()
http.REQUESTS.labels("/late", "GET", 200).inc()
http.DURATION.labels("/late", "GET", 200).observe(0.3)
committer.PLACED.inc(10)
committer.GROUP_SIZE.observe(3)
committer.QUEUE.set(7)
"""


def count_in(folder: Path, slot: int) -> None:
    """Count in a slot, in a process that then ends without a word."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(slot)], check=True, timeout=waiting.seconds(30)
    )


def shown(folder: Path) -> Samples:
    return samples(exposition.text(SharedNumbers(folder)).decode())


@pytest.mark.parametrize("slots", [(0, 1, 2), (0, 0, 0), (0, 1, 0)])
def test_the_numbers_of_all_processes_are_added_up(tmp_path: Path, slots: tuple[int, ...]) -> None:
    for slot in slots:
        count_in(tmp_path, slot)

    told = shown(tmp_path)

    assert told["orders_http_requests_total", "GET", "/early", "200"] == 3
    assert told["orders_http_requests_total", "GET", "/late", "200"] == 3
    assert told["orders_http_request_duration_seconds_count", "GET", "/late", "200"] == 3
    assert told["orders_placed_total",] == 30
    assert told["orders_committer_group_size_sum",] == 9
    assert len(list(tmp_path.iterdir())) == 3 * len(set(slots))


def test_a_gauge_counts_only_while_its_process_lives(tmp_path: Path) -> None:
    count_in(tmp_path, 0)
    count_in(tmp_path, 1)
    both = shown(tmp_path)["orders_committer_queue",]

    SharedNumbers(tmp_path).leave(0)

    assert (both, shown(tmp_path)["orders_committer_queue",]) == (14, 7)


def test_a_file_that_is_only_just_created_is_left_out(tmp_path: Path) -> None:
    count_in(tmp_path, 0)
    (tmp_path / "counter_1.db").touch()

    assert shown(tmp_path)["orders_placed_total",] == 10


def test_it_pauses_so_that_a_process_can_serve_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_in(tmp_path, 0)
    count_in(tmp_path, 1)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    families = list(SharedNumbers(tmp_path).collect())

    assert pauses == [0] * (6 + len(families))  # Three files of each process.
