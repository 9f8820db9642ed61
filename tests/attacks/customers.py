"""A hundred good clients: each keeps a connection and places an order now and then.

They are one event loop in a process of its own, so that they measure the API and not each other: a hundred
threads would wait for one another before they note the time (`rig/customers.py` has such customers).

`python -m tests.attacks.customers PORT SECONDS` prints one line of JSON: how many orders were placed, their
latencies in milliseconds (p50, p99, the longest), and what went wrong.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

CLIENTS = 100
RATE = 300  # Orders a second of all clients together.
PATIENCE_SECONDS = 10
BODY = b'{"productId":"CATALOG-001","qty":1,"unitPrice":1500}'
REQUEST = (
    b"POST /order-service/good-%d/orders HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)


@dataclass
class Met:
    """What all clients experienced."""

    latencies: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, object]:
        times = sorted(self.latencies) or [0.0]
        return {
            "placed": len(self.latencies),
            "p50": times[len(times) // 2] * 1000,
            "p99": times[len(times) * 99 // 100] * 1000,
            "longest": times[-1] * 1000,
            "failures": dict(self.failures),
        }


class Client:
    """One client with one connection. It opens another when the server has closed it between two requests."""

    def __init__(self, port: int, number: int, met: Met) -> None:
        self._port = port
        self._request = REQUEST % (number, len(BODY), BODY)
        self._met = met
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def order(self) -> None:
        """Place one order, and note how long it took or what went wrong."""
        began = time.monotonic()
        try:
            status = await asyncio.wait_for(self._send(), PATIENCE_SECONDS)
        except (TimeoutError, OSError, EOFError) as error:
            self._met.failures[type(error).__name__] += 1
            self._streams = None
            return
        if status == 201:
            self._met.latencies.append(time.monotonic() - began)
        else:
            self._met.failures[str(status)] += 1

    async def _send(self) -> int:
        if self._streams is None or self._streams[0].at_eof():
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return int(head.split()[1])


async def crowd(port: int, seconds: float) -> Met:
    """All clients, until *seconds* have passed."""
    met, end = Met(), time.monotonic() + seconds

    async def comes_and_goes(number: int) -> None:
        client = Client(port, number, met)
        await asyncio.sleep(random.random() * CLIENTS / RATE)
        while time.monotonic() < end:
            pause = random.expovariate(RATE / CLIENTS)
            await client.order()
            await asyncio.sleep(min(pause, 3 * CLIENTS / RATE))

    await asyncio.gather(*(comes_and_goes(number) for number in range(CLIENTS)))
    return met


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(int(sys.argv[1]), float(sys.argv[2]))).report()))
