"""The scheduler: runs all tasks of a simulation in one thread, on a virtual clock.

A task runs until it calls `pause` or `wait`. Then the scheduler's random generator picks the task that runs
next. So the seed of that generator decides every interleaving.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from greenlet import getcurrent, greenlet

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # When every simulation begins.
SLICE_SECONDS = 0.0005  # The virtual time that passes each time a task runs.


class Killed(BaseException):
    """Ends a task whose process was killed. Not an `Exception`, so that no code treats it as an error."""


@dataclass(eq=False)
class Task:
    """A thread of control. It belongs to the process *owner*, and ends when that is killed."""

    name: str
    owner: object
    run: greenlet
    ready: Callable[[], bool] | None = None  # Set while the task waits.
    until: float = 0.0  # When its wait times out.
    killed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the task has ended, or will not run again."""
        return self.killed or bool(self.run.dead)


@dataclass
class Scheduler:
    """Tasks, and the virtual time: *now* is in seconds since the start of the simulation."""

    chance: random.Random
    now: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    _frozen: dict[object, float] = field(default_factory=dict)  # Until when a process is frozen.
    _current: Task | None = None

    @property
    def current(self) -> Task | None:
        """The task that runs now. None outside of all tasks."""
        return self._current

    def spawn(self, name: str, work: Callable[[], object], owner: object = None) -> Task:
        """Start a task. It runs when the scheduler picks it."""

        def run() -> None:
            with suppress(Killed):
                work()

        task = Task(name, owner, greenlet(run))
        self.tasks.append(task)
        return task

    def pause(self) -> None:
        """Let other tasks run. Raises `Killed` if this one was killed. Outside of tasks it does nothing."""
        if self._current is not None:
            self._switch()

    def wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Let other tasks run until *ready*, at most for *seconds*. Returns whether it is ready.

        Outside of all tasks nothing can happen meanwhile, so the time passes at once.
        """
        until = self.now + seconds
        task = self._current
        if task is None:
            if not ready():
                self.now = until
            return ready()
        while not ready():
            if self.now >= until:
                return False
            task.ready, task.until = ready, until
            self._switch()
        return True

    def sleep(self, seconds: float) -> None:
        """Let other tasks run for *seconds*."""
        self.wait(lambda: False, seconds)

    def run_one(self) -> bool:
        """Run one task, picked at random, until its next pause. False if all tasks have ended.

        If all of them wait, the time passes until the first time-out.
        """
        if not self.tasks:
            return False
        runnable = self._runnable()
        if not runnable:
            self.now = max(self.now, min(map(self._wakes_at, self.tasks)))
            runnable = self._runnable()
        task = runnable[int(self.chance.random() * len(runnable))]
        task.ready = None
        self.now += SLICE_SECONDS
        self._enter(task, task.run.switch)
        return True

    def kill(self, owner: object) -> None:
        """End all tasks of *owner*, as SIGKILL does: none of them reaches the outside world again.

        A task that kills its own process ends at its next pause.
        """
        self._frozen.pop(owner, None)
        self._end([task for task in self.tasks if task.owner is owner and not task.killed])

    def close(self) -> None:
        """End all tasks: a suspended greenlet keeps everything that its frames refer to."""
        self._end(list(self.tasks))

    def _end(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.killed = True
            if task is self._current:
                continue
            if task.run:  # It has begun: unwind its stack, so that its objects are released.
                self._enter(task, partial(task.run.throw, Killed))
            else:
                self.tasks.remove(task)

    def freeze(self, owner: object, seconds: float) -> None:
        """Run no task of *owner* for *seconds*, as SIGSTOP and SIGCONT do. 0 wakes it."""
        self._frozen[owner] = self.now + seconds

    def _wakes_at(self, task: Task) -> float:
        asleep = task.until if task.ready else 0.0
        return max(asleep, self._frozen.get(task.owner, 0.0))

    def _runnable(self) -> list[Task]:
        now, frozen = self.now, self._frozen
        return [
            task
            for task in self.tasks
            if (task.ready is None or task.until <= now or task.ready())
            and frozen.get(task.owner, 0.0) <= now
        ]

    def _enter(self, task: Task, switch: Callable[[], object]) -> None:
        caller, self._current = self._current, task
        task.run.parent = getcurrent()
        try:
            switch()
        finally:
            self._current = caller
            if task.run.dead and task in self.tasks:
                self.tasks.remove(task)

    def _switch(self) -> None:
        task = self._current
        assert task is not None
        if task.killed:
            raise Killed
        parent = task.run.parent
        assert parent is not None
        parent.switch()
        if task.killed:
            raise Killed
