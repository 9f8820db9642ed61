"""Customers: they place orders at a rate, retry with their key, cancel, and remember what they were told."""

import http.client
import itertools
import json
import random
import select
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from urllib.parse import urlsplit

from rig import waiting

RETRY_SECONDS = 120.0  # A customer with a key sends the same request again for at most this long.
RETRY_PAUSE = 0.1
UNAVAILABLE = frozenset({503})
GATEWAY = frozenset({502, 503, 504})  # HAProxy answers these while no API behind it does.


class Connection:
    """A connection to one API, kept open between requests. It reconnects when the server has closed it."""

    def __init__(self, url: str, seconds: float, *, token: str = "") -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=seconds)
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, bytes]:
        """The status and the body of the response. Raises OSError or HTTPException if there is none."""
        if self._http.sock and select.select([self._http.sock], [], [], 0)[0]:
            self._http.close()  # Readable without a request: the server has closed its end.
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        try:
            self._http.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._http.getresponse()
            return response.status, response.read()
        except BaseException:
            self._http.close()
            raise

    def close(self) -> None:
        self._http.close()


def answers(url: str, path: str) -> bool:
    """Whether the API answers a GET with 200."""
    with closing(Connection(url, 30)) as connection, suppress(OSError, http.client.HTTPException):
        return connection.send("GET", path)[0] == 200
    return False


@dataclass(frozen=True)
class Habits:
    """The habits of customers: the share of them that does each thing, and the most pieces in an order."""

    keys: float = 0.0  # They send an idempotency key, and retry until they are answered.
    repeats: float = 0.0  # They have a key, and send the order once more after it was answered.
    cancels: float = 0.0
    qty: int = 1


@dataclass
class Customer:
    """One person with one order: what is ordered, and what the answers were."""

    name: str
    product: str
    qty: int
    key: str | None
    repeats: bool
    cancels: bool
    order_ids: list[str] = field(default_factory=list)  # One for each 201.
    cancelled: bool | None = None  # None: not asked for, or not answered.
    odd: list[str] = field(default_factory=list)  # Answers that should never be given.
    due: float = 0.0  # When the order should be sent, when it was, and when it was accepted.
    sent: float = 0.0
    accepted: float | None = None


@dataclass
class Customers:
    """Customers who come at a rate, to each of the *urls* in turn. *told* has all that came.

    *products* maps each product to its price. At most *crowd* customers are served at the same time, each on
    connections of their own. A request is given up after *seconds*; *retried* are the statuses after which a
    customer with a key tries again.
    """

    urls: Sequence[str]
    products: Mapping[str, int]
    chance: random.Random
    _: KW_ONLY
    rate: float
    crowd: int = 6
    habits: Habits = Habits()
    retried: Collection[int] = UNAVAILABLE
    seconds: float = 15
    token: str = ""  # With AUTH_MODE=jwt: one token for all of them, with the scope orders:admin.
    told: list[Customer] = field(default_factory=list, init=False)
    accepted: int = field(default=0, init=False)
    failures: Counter[str] = field(default_factory=Counter, init=False)  # Unexpected statuses, and errors.

    def __post_init__(self) -> None:
        self._name = f"{self.chance.randrange(16**8):08x}"
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def ordering(self) -> Iterator["Customers"]:
        """Let customers order until the block ends, and wait for the last answers."""
        stop, numbers, began = threading.Event(), itertools.count(), time.monotonic()
        threads = [
            threading.Thread(target=self._order, args=(stop, numbers, began)) for _ in range(self.crowd)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def order_for(self, seconds: float) -> None:
        """Let customers order for so many seconds, and wait for the last answers."""
        with self.ordering():
            time.sleep(seconds)

    def await_accepted(self, more: int, *, seconds: float = 30) -> None:
        """Wait until so many more orders are accepted."""
        wanted = self.accepted + more
        if not waiting.wait(lambda: self.accepted >= wanted, seconds=seconds):
            failures = dict(self.failures.most_common(5))
            raise AssertionError(
                f"{wanted - self.accepted} of {more} more orders are not accepted: {failures}"
            )

    def await_answers(self, *, seconds: float = RETRY_SECONDS) -> Counter[str]:
        """Wait until no accepted order is PENDING; how many orders have each status."""
        connection, statuses = Connection(self.urls[0], self.seconds, token=self.token), Counter[str]()

        def status(customer: Customer) -> str:
            path = f"/order-service/{customer.name}/orders/{customer.order_ids[0]}"
            code, body = connection.send("GET", path)
            assert code == 200, f"{path} was accepted and is not found: {code} {body[:200]!r}"
            return str(json.loads(body)["status"])

        with closing(connection):
            for customer in self.told:
                if customer.order_ids:
                    what = f"the order of {customer.name} is answered"
                    waiting.await_true(lambda: status(customer) != "PENDING", what, seconds=seconds)  # noqa: B023
                    statuses[status(customer)] += 1
        return statuses

    def latencies(self) -> list[float]:
        """Seconds from sending an order to its 201, shortest first."""
        return sorted(one.accepted - one.sent for one in self.told if one.accepted)

    def delays(self, since: float = 0.0) -> list[float]:
        """Seconds from the time an order was due to its 201, of the orders that were accepted *since*.

        It is longer than the latency if the order had to wait for a free customer.
        """
        told = list(self.told)
        return sorted(one.accepted - one.due for one in told if one.accepted and one.accepted > since)

    def longest_gap(self, since: float) -> float:
        """The longest time, in seconds, without a new order."""
        times = sorted(one.accepted for one in list(self.told) if one.accepted and one.accepted > since)
        return max((later - earlier for earlier, later in itertools.pairwise([since, *times])), default=0.0)

    def _order(self, stop: threading.Event, numbers: "itertools.count[int]", began: float) -> None:
        connections = [Connection(url, waiting.seconds(self.seconds), token=self.token) for url in self.urls]
        while True:
            with self._lock:
                turn = next(numbers)
                customer = self._new_customer(due=began + turn / self.rate)
            if stop.wait(max(0.0, customer.due - time.monotonic())):
                break
            self.told.append(customer)
            self._serve(connections[turn % len(connections)], customer)
        for connection in connections:
            connection.close()

    def _new_customer(self, due: float) -> Customer:
        chance, habits, number = self.chance, self.habits, next(self._numbers)
        key = f"key-{number}" if chance.random() < habits.keys else None
        return Customer(
            name=f"{self._name}-{number}",
            product=chance.choice(list(self.products)),
            qty=chance.randint(1, habits.qty),
            key=key,
            repeats=key is not None and chance.random() < habits.repeats,
            cancels=chance.random() < habits.cancels,
            due=due,
        )

    def _serve(self, connection: Connection, customer: Customer) -> None:
        orders = f"/order-service/{customer.name}/orders"
        price = self.products[customer.product]
        body = {"productId": customer.product, "qty": customer.qty, "unitPrice": price}
        customer.sent = time.monotonic()
        for _ in range(2 if customer.repeats else 1):
            status, answer = self._ask(connection, customer, orders, body, expected={201})
            if status != 201:
                break
            self._accept(customer, str(json.loads(answer)["orderId"]))
        if customer.cancels and customer.order_ids:
            path = f"{orders}/{customer.order_ids[0]}/cancel"
            status, _ = self._ask(connection, customer, path, None, expected={200, 409})
            if status in (200, 409):
                customer.cancelled = status == 200

    def _accept(self, customer: Customer, order_id: str) -> None:
        customer.order_ids.append(order_id)
        if customer.accepted is None:
            customer.accepted = time.monotonic()
            with self._lock:
                self.accepted += 1

    def _ask(
        self,
        connection: Connection,
        customer: Customer,
        path: str,
        body: object,
        *,
        expected: Collection[int],
    ) -> tuple[int, bytes]:
        """The status and the body of the last answer; 0 if there was none."""
        deadline = waiting.Deadline(RETRY_SECONDS)
        key = customer.key if body else None
        retries = key is not None or not body  # A cancellation may be repeated without a key.
        while True:
            try:
                status, answer = connection.send("POST", path, body, key)
                problem = str(status)
            except (OSError, http.client.HTTPException) as error:
                status, answer, problem = 0, b"", type(error).__name__
            if status in expected:
                return status, answer
            with self._lock:
                self.failures[problem] += 1
            may_retry = status == 0 or status in self.retried
            if retries and may_retry and not deadline.over:
                time.sleep(RETRY_PAUSE)
                continue
            if retries or not may_retry:
                customer.odd.append(f"{problem} {answer[:300]!r} to POST {path}")
            return status, answer
