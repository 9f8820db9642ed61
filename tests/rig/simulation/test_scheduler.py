"""The scheduler: the seed decides which task runs, and time passes only when all tasks wait."""

import random
from collections.abc import Callable

import pytest

from rig.simulation.scheduler import SLICE_SECONDS, Killed, Scheduler
from tests.rig.simulation.kit import run


def interleaved(seed: int) -> str:
    """The order in which three tasks run, each ten times."""
    scheduler, story = Scheduler(random.Random(seed)), []

    def steps(name: str) -> Callable[[], None]:
        def work() -> None:
            for _ in range(10):
                story.append(name)
                scheduler.pause()

        return work

    run(scheduler, *map(steps, "abc"))
    return "".join(story)


def test_the_seed_decides_how_tasks_interleave() -> None:
    orders = {interleaved(seed) for seed in range(20)}

    assert interleaved(1) == interleaved(1)
    assert len(orders) == 20
    assert all(sorted(order) == sorted("abc" * 10) for order in orders)


def test_without_tasks_nothing_runs(scheduler: Scheduler) -> None:
    assert not scheduler.run_one()
    assert scheduler.now == 0


def test_a_task_that_runs_takes_a_slice_of_time(scheduler: Scheduler) -> None:
    def busy() -> None:
        for _ in range(10):
            scheduler.pause()

    scheduler.spawn("sleeper", lambda: scheduler.sleep(100))
    scheduler.spawn("busy", busy)

    for _ in range(12):
        scheduler.run_one()

    assert scheduler.now == pytest.approx(12 * SLICE_SECONDS)


def test_when_all_tasks_wait_time_passes_until_the_first_wakes(scheduler: Scheduler) -> None:
    woken: list[tuple[int, float]] = []

    def sleeper(seconds: int) -> Callable[[], None]:
        def work() -> None:
            scheduler.sleep(seconds)
            woken.append((seconds, round(scheduler.now)))

        return work

    run(scheduler, *map(sleeper, (30, 10, 20)))

    assert woken == [(10, 10), (20, 20), (30, 30)]


def test_a_wait_ends_when_it_is_ready(scheduler: Scheduler) -> None:
    done: list[str] = []
    outcomes: list[bool] = []

    def finish() -> None:
        scheduler.sleep(1)
        done.append("done")

    run(scheduler, lambda: outcomes.append(scheduler.wait(lambda: bool(done), 60)), finish)

    assert outcomes == [True]
    assert scheduler.now < 2


def test_a_wait_times_out(scheduler: Scheduler) -> None:
    outcomes: list[bool] = []

    run(scheduler, lambda: outcomes.append(scheduler.wait(lambda: False, 60)))

    assert outcomes == [False]
    assert scheduler.now >= 60


def test_outside_of_tasks_a_wait_passes_its_time_at_once(scheduler: Scheduler) -> None:
    assert not scheduler.wait(lambda: False, 5)
    assert scheduler.now == 5
    assert scheduler.wait(lambda: True, 5)
    assert scheduler.now == 5


def test_kill_ends_the_tasks_of_a_process_where_they_pause(scheduler: Scheduler) -> None:
    story: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def steps() -> None:
            try:
                story.append(f"{name} begins")
                scheduler.sleep(1)
                story.append(f"{name} goes on")
            finally:
                story.append(f"{name} is unwound")

        return steps

    for name in ("mine", "other"):
        scheduler.spawn(name, work(name), owner=name)
    scheduler.run_one()
    scheduler.run_one()

    scheduler.kill("mine")
    unwound = story[2:]
    while scheduler.run_one():
        pass

    assert unwound == ["mine is unwound"]
    assert story[3:] == ["other goes on", "other is unwound"]


def test_a_killed_task_that_pauses_again_while_it_is_unwound_does_not_go_on(scheduler: Scheduler) -> None:
    story: list[str] = []

    def work() -> None:
        try:
            scheduler.pause()
        finally:
            try:
                scheduler.pause()  # As the ROLLBACK in a `finally` does.
                story.append("it reached the outside")
            except Killed:
                story.append("killed")

    scheduler.spawn("task", work, owner="process")
    scheduler.run_one()

    scheduler.kill("process")

    assert story == ["killed"]
    assert not scheduler.run_one()


def test_a_task_that_has_not_begun_never_does_after_a_kill(scheduler: Scheduler) -> None:
    story: list[str] = []
    scheduler.spawn("task", lambda: story.append("begun"), owner="process")

    scheduler.kill("process")

    assert not scheduler.run_one()
    assert story == []


def test_a_task_that_kills_its_own_process_ends_at_its_next_pause(scheduler: Scheduler) -> None:
    story: list[str] = []

    def work() -> None:
        scheduler.kill("process")
        story.append("killed")
        scheduler.pause()
        story.append("it went on")

    scheduler.spawn("task", work, owner="process")
    while scheduler.run_one():
        pass

    assert story == ["killed"]


def test_a_frozen_process_runs_only_after_its_time(scheduler: Scheduler) -> None:
    ran: list[tuple[str, float]] = []
    for name in ("frozen", "free"):
        scheduler.spawn(name, lambda name=name: ran.append((name, scheduler.now)), owner=name)  # type: ignore[misc]

    scheduler.freeze("frozen", 7)
    while scheduler.run_one():
        pass

    assert [name for name, _ in ran] == ["free", "frozen"]
    assert ran[1][1] >= 7


def test_a_frozen_process_that_is_woken_runs_at_once(scheduler: Scheduler) -> None:
    scheduler.spawn("task", lambda: None, owner="process")
    scheduler.freeze("process", 7)

    scheduler.freeze("process", 0)
    scheduler.run_one()

    assert scheduler.now == SLICE_SECONDS


def test_an_error_of_a_task_reaches_the_caller_of_run_one(scheduler: Scheduler) -> None:
    def fail() -> None:
        raise ValueError("broken")

    scheduler.spawn("task", fail)

    with pytest.raises(ValueError, match="broken"):
        scheduler.run_one()

    assert scheduler.current is None
    assert not scheduler.run_one()
