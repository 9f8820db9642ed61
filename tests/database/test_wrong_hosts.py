"""A host of several that lets a client in, and then hangs or talks nonsense: the next one is tried."""

import threading
import time

import pytest
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_NO_BACKSLASH_ESCAPES
from sqlalchemy.exc import OperationalError

from orders_service.database.bounds import HOST_SECONDS
from orders_service.database.engines import open_engine
from rig import waiting
from tests.database.test_connecting import GREETING, answering

OK = b"\0\0\0" + SERVER_STATUS_NO_BACKSLASH_ESCAPES.to_bytes(2, "little") + b"\0\0"
# The server greets, and says OK to the password and to the two statements that every session begins with.
WELCOME = (GREETING, OK, OK, OK)
FREE = "127.0.0.1:1"  # Nobody listens there.


@pytest.mark.parametrize("read_seconds", [20, None], ids=["a time-out", "no time-out, as in migrations"])
def test_a_host_that_hangs_when_it_is_asked_for_its_state_costs_as_little_as_any(
    read_seconds: int | None,
) -> None:
    go = threading.Event()

    def hear(sent: bytes) -> None:
        if b"read_only" in sent:
            go.wait(30)

    with answering(*WELCOME, OK, hear=hear) as url:
        engine = open_engine(url.replace("/orders", f",{FREE}/orders"), read_seconds=read_seconds)
        began = time.monotonic()

        with pytest.raises(OperationalError, match="no host can be used"):
            engine.connect()

        assert HOST_SECONDS <= time.monotonic() - began < waiting.seconds(10)
        go.set()


@pytest.mark.parametrize("answer", [b"", b"\xfb/etc/passwd"], ids=["nothing", "a request for a file"])
def test_a_host_that_tells_its_state_in_nonsense_is_skipped(answer: bytes) -> None:
    with answering(*WELCOME, answer) as url:
        engine = open_engine(url.replace("/orders", f",{FREE}/orders"))

        with pytest.raises(OperationalError, match=f"cannot connect: .*; {FREE}: "):
            engine.connect()
