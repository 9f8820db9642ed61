"""The pool whose connections are given in the order in which they are asked for."""

import itertools
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, TimeoutError

from orders_service.database import fair_pool
from orders_service.database.engines import open_engine
from orders_service.database.fair_pool import Turns
from rig import waiting
from rig.waiting import await_true


def waiting_in(turns: Turns) -> int:
    return len(turns._waiting)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path}/some.db", pool_size=2, pool_seconds=1, create=True)


def test_it_overrides_what_it_was_checked_against() -> None:
    assert version("SQLAlchemy") == fair_pool.CHECKED


def test_who_asked_first_is_served_first() -> None:
    turns, served = Turns(1), list[int]()
    assert turns.take(0)

    def ask(number: int) -> None:
        assert turns.take(waiting.seconds(10))
        served.append(number)
        turns.give()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for number, thread in enumerate(threads):
        thread.start()
        await_true(lambda: waiting_in(turns) == number + 1, "it waits")  # noqa: B023
    turns.give()
    for thread in threads:
        thread.join()

    assert served == [*range(20)]
    assert turns.take(0)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4))
def test_no_turn_is_lost_and_none_is_added(steps: list[bool], count: int) -> None:
    turns, taken = Turns(count), 0

    for takes in steps:
        if takes:
            got = turns.take(0)
            assert got == (taken < count)
            taken += got
        elif taken:
            turns.give()
            taken -= 1

    assert [turns.take(0) for _ in range(count + 1)] == [*[True] * (count - taken), *[False] * (taken + 1)]


def test_who_gives_up_leaves_no_hole() -> None:
    turns = Turns(1)
    assert turns.take(0)
    with ThreadPoolExecutor(2) as pool:
        impatient = pool.submit(turns.take, 0.05)
        await_true(lambda: waiting_in(turns) == 1, "it waits")
        patient = pool.submit(turns.take, waiting.seconds(10))
        assert not impatient.result()
        turns.give()

        assert patient.result()


def test_a_taker_and_a_giver_at_the_same_time_lose_nothing() -> None:
    turns = Turns(3)

    def work() -> int:
        served = 0
        for _ in range(300):
            if turns.take(0.0005):
                served += 1
                turns.give()
        return served

    with ThreadPoolExecutor(8) as pool:
        served = [done.result() for done in [pool.submit(work) for _ in range(8)]]

    assert all(served)
    assert [turns.take(0) for _ in range(4)] == [True, True, True, False]


def take_and_give(turns: Turns, moment: int) -> tuple[bool, int]:
    """Whether `take` got a turn that ended at this *moment* of the call, and how many moments the call had.

    The collector may return a connection in the middle of any function. Here, a trace function does it.
    """
    seen, got = 0, list[bool]()

    def trace(_: FrameType, __: str, ___: object) -> Any:
        nonlocal seen
        seen += 1
        if seen == moment:
            turns.give()
        return trace

    def work() -> None:
        sys.settrace(trace)
        try:
            got.append(turns.take(0.01))
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(waiting.seconds(10))
    assert got, f"take does not return after moment {moment}"
    return got[0], seen


def test_a_turn_that_ends_at_any_moment_of_a_wait_is_not_lost() -> None:
    for moment in itertools.count(1):
        turns = Turns(1)
        assert turns.take(0)

        got, seen = take_and_give(turns, moment)

        if seen < moment:
            break
        assert waiting_in(turns) == 0, f"moment {moment}"
        assert turns.take(0) != got, f"moment {moment}"
    assert moment > 10


def test_a_wait_that_ends_with_an_error_leaves_no_hole() -> None:
    turns = Turns(1)
    assert turns.take(0)
    main = threading.get_ident()

    def interrupt() -> None:
        await_true(lambda: waiting_in(turns) == 1, "it waits")
        signal.pthread_kill(main, signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            turns.take(waiting.seconds(60))
    turns.give()

    assert turns.take(0)


def test_a_connection_that_does_not_come_in_time_is_an_error_in_time(engine: Engine) -> None:
    began = time.monotonic()
    with engine.connect(), engine.connect(), pytest.raises(TimeoutError, match="none of 2 connections"):
        engine.connect()

    assert 0.9 < time.monotonic() - began < waiting.seconds(5)
    with engine.connect(), engine.connect():
        pass
    engine.dispose()


def test_a_server_that_refuses_connections_takes_no_turn() -> None:
    engine = open_engine("mariadb+pymysql://nobody@127.0.0.1:1/none", pool_size=1, pool_seconds=1)

    for _ in range(3):
        with pytest.raises(OperationalError):
            engine.connect()


def test_a_connection_that_is_broken_gives_its_turn_back(engine: Engine) -> None:
    for _ in range(5):
        with engine.connect() as connection:
            connection.invalidate()
    with engine.connect() as connection:
        connection.detach()

    with engine.connect(), engine.connect():
        pass
    engine.dispose()
