"""MariaDB is frozen while more customers order than the queue holds: how fast are they refused?

`python -m bench.overload` takes half a minute.
"""

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.stage import Stage, percentile, stage
from rig.processes import service

CONNECTIONS = 1500  # The queues of two API processes hold 1,024 orders.
BEFORE_SECONDS, FROZEN_SECONDS, AFTER_SECONDS = 5, 10, 5
# A refused customer waits at least as long as `Retry-After` says, and not all return at once.
PAUSE_SECONDS = (1, 2)
BODY = b'{"productId":"CATALOG-001","qty":1,"unitPrice":1500}'
REQUEST = (
    b"POST /order-service/user-%d/orders HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)


@dataclass
class Answers:
    """The answers that the customers got."""

    placed: list[str] = field(default_factory=list)
    placed_at: list[float] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)  # 503 `overloaded`: when, seconds.
    others: Counter[str] = field(default_factory=Counter)

    def note(self, status: int, body: bytes, seconds: float) -> None:
        if status == 201:
            self.placed.append(body.partition(b'"orderId":"')[2][:36].decode())
            self.placed_at.append(time.monotonic())
        elif b"/problems/overloaded" in body:
            self.refused.append((time.monotonic(), seconds))
        else:
            slug = body.partition(b"/problems/")[2].partition(b'"')[0].decode()
            self.others[f"{status} {slug}"] += 1


async def customer(port: int, number: int, answers: Answers, end: float) -> None:
    """One customer, who orders again as soon as an order is answered, until *end*."""
    request = REQUEST % (number, len(BODY), BODY)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        began = time.monotonic()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        answers.note(int(head.split()[1]), body, time.monotonic() - began)
        if not head.startswith(b"http/1.1 201"):
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    writer.close()


async def crowd(port: int, on: Stage, answers: Answers) -> tuple[float, float]:
    """All customers, while MariaDB is frozen in between; the times of the freeze and of the thaw."""
    end = time.monotonic() + BEFORE_SECONDS + FROZEN_SECONDS + AFTER_SECONDS
    customers = [asyncio.create_task(customer(port, number, answers, end)) for number in range(CONNECTIONS)]
    await asyncio.sleep(BEFORE_SECONDS)
    on.lab.mariadb.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    await asyncio.sleep(FROZEN_SECONDS)
    on.lab.mariadb.signal(signal.SIGCONT)
    thawed = time.monotonic()
    await asyncio.gather(*customers)
    return frozen, thawed


def in_second(times: Sequence[float], begin: float) -> int:
    """How many orders were placed in the second after *begin*."""
    return sum(begin <= at < begin + 1 for at in times)


def overload(on: Stage) -> None:
    """Print what the customers were answered, before, during and after the freeze."""
    _, url = on.serve("api", service("api"), API_WORKERS="2", API_CONNECTIONS_MAX=str(CONNECTIONS))
    answers = Answers()
    frozen, thawed = asyncio.run(crowd(int(url.rpartition(":")[2]), on, answers))
    rates = [in_second(answers.placed_at, thawed + second) for second in range(AFTER_SECONDS - 1)]
    refused = sorted(took for at, took in answers.refused if frozen < at - took < thawed) or [0.0]
    kept = on.number("SELECT COUNT(*) FROM orders.orders")
    known = {str(row[0]) for row in on.sql("SELECT order_id FROM orders.orders")}
    missing = len(set(answers.placed) - known)
    print(f"before:  {in_second(answers.placed_at, frozen - 2):,} orders/s on {CONNECTIONS} connections")
    print(
        f"frozen:  {len(refused):,} refused, p50 {percentile(refused, 50) * 1000:.1f} ms,"
        f" p99 {percentile(refused, 99) * 1000:.1f} ms, slowest {refused[-1] * 1000:.1f} ms"
    )
    print(f"         other answers: {dict(answers.others) or 'none'}")
    print(f"thawed:  orders in each second: {', '.join(f'{rate:,}' for rate in rates)}")
    print(
        f"placed:  {len(answers.placed):,}; {missing} of them are missing in the database, which has {kept:,}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as on:
        overload(on)
