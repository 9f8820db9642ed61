"""People who order all the time, and remember what they were told."""

import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx

from tests import patience

PATIENCE_SECONDS = 60.0  # How long somebody tries again who was not answered.
PAUSE_SECONDS = 0.1
MOST = 4  # Pieces in an order.


@dataclass
class Customer:
    """One person, who wants one order: what for, and what the answers were."""

    name: str
    product: str
    qty: int
    key: str | None  # With one, the order is sent again until it is answered.
    repeats: bool  # It is sent once more after it was answered.
    cancels: bool
    order_ids: list[str] = field(default_factory=list)  # Of each 201.
    cancelled: bool | None = None  # None: not asked for, or not answered.
    odd: list[str] = field(default_factory=list)  # Answers that should never be given.


class Customers:
    """They come at a rate, to each API in turn; *told* has one for every one that came."""

    def __init__(
        self,
        ports: Sequence[int],
        products: Sequence[str],
        chance: random.Random,
        *,
        rate: float,
        cancels: float,
        crowd: int = 6,
    ) -> None:
        self.told: list[Customer] = []
        self.accepted = 0
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.products = products
        self._chance = chance
        self._rate = rate
        self._cancels = cancels
        self.crowd = crowd
        self._number = itertools.count()
        self._name = f"{chance.randrange(16**8):08x}"
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @contextmanager
    def ordering(self) -> Iterator["Customers"]:
        """Let them order until the block ends, and wait for the last answers."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._order, args=(began,)) for _ in range(self.crowd)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _order(self, began: float) -> None:
        with httpx.Client(timeout=patience.seconds(15)) as http:
            while True:
                with self._lock:
                    number = next(self._number)
                    customer = self._come(number)
                if self._stop.wait(max(0.0, began + number / self._rate - time.monotonic())):
                    return
                self.told.append(customer)
                self._serve(http, self._urls[number % len(self._urls)], customer)

    def _come(self, number: int) -> Customer:
        chance = self._chance
        key = f"key-{number}" if chance.random() < 0.8 else None
        return Customer(
            name=f"{self._name}-{number}",
            product=chance.choice(self.products),
            qty=chance.randint(1, MOST),
            key=key,
            repeats=key is not None and chance.random() < 0.2,
            cancels=chance.random() < self._cancels,
        )

    def _serve(self, http: httpx.Client, url: str, customer: Customer) -> None:
        orders = f"{url}/order-service/{customer.name}/orders"
        for _ in range(2 if customer.repeats else 1):
            if not self._place(http, orders, customer):
                return
        if customer.cancels:
            answer = self._ask(http, f"{orders}/{customer.order_ids[0]}/cancel", again=True)
            if answer is not None and answer.status_code in (200, 409):
                customer.cancelled = answer.status_code == 200
            elif answer is not None:
                customer.odd.append(f"cancel: {answer.status_code} {answer.text}")

    def _place(self, http: httpx.Client, orders: str, customer: Customer) -> bool:
        body = {"productId": customer.product, "qty": customer.qty, "unitPrice": 1}
        headers = {"Idempotency-Key": customer.key} if customer.key else {}
        answer = self._ask(http, orders, again=customer.key is not None, json=body, headers=headers)
        if answer is not None and answer.status_code == 201:
            customer.order_ids.append(answer.json()["orderId"])
            with self._lock:
                self.accepted += len(customer.order_ids) == 1
        elif answer is not None and answer.status_code != 503:
            customer.odd.append(f"place: {answer.status_code} {answer.text}")
        return bool(customer.order_ids)

    def _ask(self, http: httpx.Client, url: str, *, again: bool, **content: object) -> httpx.Response | None:
        """The answer, if there was one; *again*: until it is one that tells what happened."""
        deadline = patience.Deadline(PATIENCE_SECONDS)
        while True:
            answer = None
            with suppress(httpx.TransportError):
                answer = http.post(url, **content)  # type: ignore[arg-type]
            if (answer is not None and answer.status_code != 503) or not again:
                return answer
            if deadline.over:
                return answer
            time.sleep(PAUSE_SECONDS)
