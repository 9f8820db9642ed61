"""Ctrl-C at a terminal ends `run` and `api`: soon, every time, and with words of ours."""

import os
import pty
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from rig.customers import answers
from rig.processes import service
from rig.waiting import await_true, seconds
from tests.commands.test_run import Running

READY = b"Ctrl-C stops everything."
HALF = (
    b"POST /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 99\r\n\r\n{"
)


class Terminal:
    """A command at a terminal of its own, which sends Ctrl-C to each of its processes."""

    def __init__(self, running: Running, word: str) -> None:
        command = service(word)
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, running.environment)
        self.said = b""

    def read_to(self, text: bytes) -> None:
        while text not in self.said:
            more = self._read()
            assert more, self.said
            self.said += more

    def ctrl_c(self) -> tuple[int, float]:
        """Type it; the exit code, and the seconds until everything had ended."""
        began = time.monotonic()
        os.write(self._descriptor, b"\x03")
        while more := self._read():
            self.said += more
        _, status = os.waitpid(self.pid, 0)
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status), time.monotonic() - began

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 65536)
        except OSError:  # The last process has closed its end.
            return b""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("when", ["at rest", "after an order", "with requests in flight", "with streams"])
def test_ctrl_c_at_a_terminal_ends_it_soon_and_in_our_words(running: Running, when: str) -> None:
    terminal = Terminal(running, "run")
    terminal.read_to(READY)
    with ExitStack() as open_:
        if when != "at rest":
            url = f"http://127.0.0.1:{running.port}/order-service/kim/orders"
            body = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}
            assert httpx.post(url, json=body, timeout=60).status_code == 201
        if when == "with requests in flight":
            browser, slow = (socket.create_connection(("127.0.0.1", running.port)) for _ in range(2))
            open_.enter_context(browser)
            open_.enter_context(slow)
            browser.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert browser.recv(999).startswith(b"HTTP/1.1 200")
            slow.sendall(HALF)
        if when == "with streams":
            for path in (*[b"/order-service/kim/orders/events"] * 3, *[b"/admin/live"] * 2):
                stream = open_.enter_context(socket.create_connection(("127.0.0.1", running.port)))
                stream.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
                assert stream.recv(9999).startswith(b"HTTP/1.1 200")

        code, took = terminal.ctrl_c()

    after = terminal.said.partition(READY)[2].decode()
    assert code == 0
    assert re.fullmatch(r"\s*(\^C)?\s*Stopped\. The orders and the stock are kept in \S+\s*", after), after
    assert took < seconds(2)


def test_ctrl_c_at_a_terminal_ends_the_api_without_a_traceback(running: Running) -> None:
    running.word("migrate")
    terminal = Terminal(running, "api")
    url = f"http://127.0.0.1:{running.port}"
    await_true(lambda: answers(url, "/readyz"), "the API answers")
    with socket.create_connection(("127.0.0.1", running.port)) as browser:
        browser.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert browser.recv(999).startswith(b"HTTP/1.1 200")

        code, _ = terminal.ctrl_c()

    assert code == 0
    lines = [line for line in terminal.said.splitlines() if line.strip() not in (b"", b"^C")]
    assert len(lines) == 1
    assert b"listening" in lines[0]
