"""A thousand requests wait for as many orders in one process: the cost, and how soon each is answered."""

import asyncio
import time
from collections.abc import Sequence

from bench.stage import Stage, percentile
from bench.wrk import Load, load
from rig.processes import Process, service

WAITERS = 1_000
SETTINGS = {"API_WORKERS": "1", "API_CONNECTIONS_MAX": "2500", "API_WAITERS_MAX": str(WAITERS)}
OPENING_SECONDS = 10  # The requests do not come all at once: each reads its order first.
IDLE_SECONDS = 2
GROUP, GROUP_SECONDS = 50, 0.05  # Orders that one transaction confirms, and the pause before the next one.
CONNECTIONS = 16
REQUEST = "GET /order-service/waiter/orders/order-%d HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n"

Rounds = dict[str, list[dict[str, float]]]


def waiting(stage: Stage, *, rounds: int, seconds: int) -> dict[str, Rounds]:
    """POST without waiters and beside them, in turn; and how soon the waiters are answered."""
    process, url = stage.serve("api-waiting", service("api"), **SETTINGS)
    posts: Rounds = {"without": [], "beside": []}
    answers: Rounds = {"ours": []}
    for _ in range(rounds):
        posts["without"].append(_metrics(_post(url, seconds)))
        beside, found = asyncio.run(Round(stage, process, url).measure(seconds))
        posts["beside"].append(_metrics(beside))
        answers["ours"].append(found)
    process.end()
    return {f"POST beside {WAITERS:,} waiters": posts, f"{WAITERS:,} waiters": answers}


def _post(url: str, seconds: int) -> Load:
    return load(url, "post.lua", connections=CONNECTIONS, seconds=seconds)


def _metrics(posted: Load) -> dict[str, float]:
    return {"rate": posted.requests / posted.seconds, "p50_ms": posted.p50, "p99_ms": posted.p99}


class Round:
    """A thousand new orders with a request that waits for each."""

    def __init__(self, stage: Stage, process: Process, url: str) -> None:
        self._stage = stage
        self._process = process
        self._port = int(url.rpartition(":")[2])
        self._url = url
        self._answered: dict[int, float] = {}
        self._committed: dict[int, float] = {}
        self._failed = 0

    async def measure(self, seconds: int) -> tuple[Load, dict[str, float]]:
        self._insert_orders()
        waiters = [asyncio.create_task(self._wait(number)) for number in range(WAITERS)]
        await asyncio.sleep(OPENING_SECONDS + 1)
        idle = await asyncio.to_thread(self._idle)
        posted = await asyncio.to_thread(_post, self._url, seconds)
        early = len(self._answered)
        await asyncio.to_thread(self._confirm_all)
        await asyncio.gather(*waiters)
        assert early == self._failed == 0, (
            f"{early} answered early, {self._failed} wrongly\n{self._process.tail}"
        )
        took = [(self._answered[number] - self._committed[number]) * 1000 for number in range(WAITERS)]
        return posted, {
            **idle,
            "p50_ms": percentile(took, 50),
            "p99_ms": percentile(took, 99),
            "longest_ms": max(took),
        }

    def _insert_orders(self) -> None:
        self._stage.empty()
        self._stage.sql(
            "INSERT INTO orders.orders (product_id, qty, unit_price, total_price, user_id, order_id,"
            " created_at, status, version, updated_at) SELECT 'CATALOG-001', 1, 1500, 1500, 'waiter',"
            f" CONCAT('order-', seq), NOW(6), 'PENDING', 1, NOW(6) FROM orders.seq_0_to_{WAITERS - 1}"
        )

    async def _wait(self, number: int) -> None:
        await asyncio.sleep(OPENING_SECONDS * number / WAITERS)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write((REQUEST % number).encode())
        answer = await reader.readuntil(b"}\n")
        self._answered[number] = time.monotonic()
        self._failed += b'"CONFIRMED"' not in answer
        writer.close()

    def _idle(self) -> dict[str, float]:
        """The cost of the waiters while nothing changes."""
        connections = self._last_statements()
        statements, cpu, database = self._statements(), self._process.cpu(), self._stage.database_cpu()
        began = time.monotonic()
        time.sleep(IDLE_SECONDS)
        took = time.monotonic() - began
        return {
            "statements_a_second": (self._statements() - statements) / took,
            "connections": len(self._last_statements() - connections),
            "percent_of_a_core": (self._process.cpu() - cpu) / took * 100,
            "database_percent": (self._stage.database_cpu() - database) / took * 100,
        }

    def _confirm_all(self) -> None:
        for start in range(0, WAITERS, GROUP):
            numbers = range(start, start + GROUP)
            self._confirm(numbers)
            self._committed.update(dict.fromkeys(numbers, time.monotonic()))
            time.sleep(GROUP_SECONDS)

    def _confirm(self, numbers: Sequence[int]) -> None:
        order_ids = ", ".join(f"'order-{number}'" for number in numbers)
        self._stage.sql(
            "UPDATE orders.orders SET status = 'CONFIRMED', version = version + 1 WHERE order_id IN"
            f" ({order_ids})"
        )

    def _statements(self) -> int:
        ((_, count),) = self._stage.sql("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(str(count))

    def _last_statements(self) -> set[tuple[object, ...]]:
        """The number of the last statement of each connection of the API."""
        return set(
            self._stage.sql("SELECT id, query_id FROM information_schema.processlist WHERE user = 'orders'")
        )
