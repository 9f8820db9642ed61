"""A load of batches of orders: one sender carries thousands of orders a second."""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event

from rig.customers import Connection

BATCH = 25
ORDERS = {"orders": [{"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}] * BATCH}


class Batches:
    """Sends *rate* orders a second, or as many as it can without a rate, until `end`.

    The batches come at equal intervals or, with *chance*, at random moments.
    """

    def __init__(self, site: str, rate: float | None, chance: random.Random | None) -> None:
        self.accepted = 0
        self.due: list[float] = []  # When each batch should be sent. That of number 7 is from `user-7`.
        self._site = site
        self._pause = BATCH / rate if rate else 0.0
        self._chance = chance
        self._ends = Event()

    def run(self) -> None:
        """Send batches until `end` is called."""
        with closing(Connection(self._site, 30)) as connection:
            due = time.time()
            while not self._ends.wait(max(0.0, due - time.time())):
                self._send(connection, due)
                pause = self._chance.expovariate(1 / self._pause) if self._chance else self._pause
                due = due + pause if self._pause else time.time()

    def end(self) -> None:
        """Send no more batches."""
        self._ends.set()

    def _send(self, connection: Connection, due: float) -> None:
        path = f"/order-service/user-{len(self.due)}/orders/batch"
        self.due.append(due)
        status, answer = connection.send("POST", path, ORDERS)
        assert status == 200, answer
        self.accepted += sum(order["status"] == 201 for order in json.loads(answer))


@contextmanager
def sending(
    site: str, rate: float | None = None, *, chance: random.Random | None = None
) -> Iterator[Batches]:
    """Batches, until the block ends. Raises what ended the sender too early."""
    load = Batches(site, rate, chance)
    with ThreadPoolExecutor(1) as pool:
        sender = pool.submit(load.run)
        try:
            yield load
        finally:
            load.end()
        sender.result()
