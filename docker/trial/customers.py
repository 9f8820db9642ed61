"""Customers place orders over HTTP, with the same key until each is taken, and remember which were."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from types import TracebackType

from rig.waiting import Deadline
from trial.shell import TrialError

PRODUCTS = {"CATALOG-001": 1500, "CATALOG-002": 1000, "CATALOG-003": 2000}
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 120
ANSWER_SECONDS = 120


class Customers:
    """What was accepted, by the order's id, and what had to be asked again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self.accepted: list[str] = []
        self.again: Counter[str] = Counter()
        self._last = time.monotonic()
        self.longest_wait = 0.0

    def place(self, count: int) -> None:
        """Place that many orders, one after the other."""
        for _ in range(count):
            self.place_one()

    def place_one(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Place one order, however often it takes."""
        number = len(self.accepted)
        product, price = list(PRODUCTS.items())[number % len(PRODUCTS)]
        asked = {"productId": product, "qty": 1, "unitPrice": price}
        key, deadline = str(uuid.uuid4()), Deadline(seconds)
        while True:
            try:
                status, answer = self._send("POST", "/order-service/Kim/orders", asked, key)
                problem = f"{status} {answer.get('title', '')}".strip()
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, answer, problem = 0, {}, type(error).__name__
            if status == 201:
                self._accept(answer["orderId"])
                return
            if status and status < 500:
                raise TrialError(f"an order was refused: {status} {answer}")
            with self._lock:
                self.again[problem] += 1
            if deadline.over:
                raise TrialError(f"an order was not taken within {deadline}: {problem}")
            time.sleep(PAUSE_SECONDS)

    def await_answers(self) -> Counter[str]:
        """Wait until every accepted order has its answer; how many of each there are."""
        deadline = Deadline(ANSWER_SECONDS)
        waiting, ends = list(self.accepted), Counter[str]()
        while waiting:
            order_id = waiting[-1]
            status, order = self._send("GET", f"/order-service/Kim/orders/{order_id}")
            if status != 200:
                raise TrialError(f"order {order_id} was accepted and is not there: {status} {order}")
            if order["status"] == "PENDING":
                if deadline.over:
                    raise TrialError(f"{len(waiting)} orders wait after {deadline}: {order_id}, …")
                time.sleep(PAUSE_SECONDS)
                continue
            waiting.pop()
            ends[order["status"]] += 1
        return ends

    def _accept(self, order_id: str) -> None:
        with self._lock:
            now = time.monotonic()
            self.longest_wait = max(self.longest_wait, now - self._last)
            self._last = now
            self.accepted.append(order_id)

    def _send(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=35)
        try:
            headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


class Crowd:
    """Orders without a pause, from several customers at once, for as long as the block lasts."""

    def __init__(self, customers: Customers, size: int = 3) -> None:
        self._customers = customers
        self._stop = threading.Event()
        self._errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._order, name=f"customer-{n}") for n in range(size)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if error is None and self._errors:
            raise self._errors[0]

    def await_more(self, count: int, seconds: float = 60) -> None:
        """Wait until *count* more orders were taken."""
        goal, deadline = len(self._customers.accepted) + count, Deadline(seconds)
        while len(self._customers.accepted) < goal:
            if self._errors:
                raise self._errors[0]
            if deadline.over:
                raise TrialError(f"not {count} orders taken in {deadline}: {self._customers.again}")
            time.sleep(0.05)

    def _order(self) -> None:
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                self._customers.place_one()
        except Exception as error:
            self._errors.append(error)
