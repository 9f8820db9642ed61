"""The CPU time, memory and start of a server with several processes."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from orders_service.metrics.family import ProcessFamily
from rig.waiting import await_true

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def values(pid: int) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in ProcessFamily(lambda: pid).collect()
        for sample in family.samples
    }


def test_the_time_of_a_child_is_counted_while_it_lives_and_after_it_has_ended() -> None:
    before = values(os.getpid())["process_cpu_seconds_total"]
    child = subprocess.Popen([sys.executable, "-c", f"{BURN}\ninput()"], stdin=subprocess.PIPE)

    worked = psutil.Process(child.pid)
    await_true(lambda: sum(worked.cpu_times()[:2]) >= 0.2, "the child has worked")
    living = values(os.getpid())["process_cpu_seconds_total"]
    child.communicate(b"\n")
    ended = values(os.getpid())["process_cpu_seconds_total"]

    assert living >= before + 0.2
    assert ended >= living


def test_memory_and_start_are_those_that_the_system_tells() -> None:
    this = psutil.Process()
    memory = this.memory_info().rss + sum(each.memory_info().rss for each in this.children())

    found = values(os.getpid())

    assert found["process_start_time_seconds"] == pytest.approx(this.create_time(), abs=1)
    assert found["process_resident_memory_bytes"] == pytest.approx(memory, rel=0.2)
    assert found["process_start_time_seconds"] < time.time()


def test_a_process_that_has_ended_has_no_numbers() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert values(child.pid) == {}
