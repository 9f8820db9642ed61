"""SIGHUP replaces the processes of the API, and no request goes unanswered."""

import os
import random
import signal
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rig.processes import children
from rig.waiting import await_true
from tests.api.serving.test_server import serving

CLIENTS = 12
REQUESTS = 30  # Of each client.
PAUSES = (0, 0.001, 0.2)  # Seconds between two requests of one client.


class Client:
    """Asks again and again: on one connection while the server keeps it, or on a new one each time."""

    def __init__(self, port: int, *, keeps: bool) -> None:
        self._port = port
        self._keeps = keeps
        self.answers: list[int] = []
        self.failures: list[str] = []
        self.thread = threading.Thread(target=self._ask_often)

    def _ask_often(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        for _ in range(REQUESTS):
            try:
                connection.request("GET", "/order-service/kim/orders")
                response = connection.getresponse()
                response.read()
                self.answers.append(response.status)
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self._keeps:
                connection.close()
            time.sleep(random.choice(PAUSES))
        connection.close()


def test_no_request_goes_unanswered_when_the_processes_are_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, process):
        before = children(process.pid)
        clients = [Client(address.port, keeps=number % 2 == 0) for number in range(CLIENTS)]
        for client in clients:
            client.thread.start()

        while any(client.thread.is_alive() for client in clients):
            os.kill(process.pid, signal.SIGHUP)
            for client in clients:
                client.thread.join(0.3)

        await_true(lambda: not set(before) & set(children(process.pid)), "the processes are replaced")

    assert [failure for client in clients for failure in client.failures] == []
    assert [code for client in clients for code in client.answers] == [200] * CLIENTS * REQUESTS
