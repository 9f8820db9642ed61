"""The rate limit: each client may send so many requests in a period. Unused ones are saved.

The answers have the headers of draft-ietf-httpapi-ratelimit-headers-11, an Internet-Draft of 2026.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest
from ipaddress import IPv6Network, ip_address
from math import ceil

from flask import Flask, Response, g, request

from orders_service.api.identity import principal
from orders_service.setting_kinds import RATE_UNITS
from orders_service.settings import Settings

CLIENTS_MAX = 20_000  # Clients that are remembered, in about 3 MB. Choosing whom to forget takes about 10 ms.
EPSILON = 1e-9  # Seconds: the rounding errors of a time are smaller.
EXEMPT = ("health", "metrics")  # Blueprints: an operator's probes and scrapers must always get an answer.


class QuotaExceeded(Exception):
    """The client has sent too many requests. It may send the next one in *seconds*."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Quota:
    """So many *requests* in so many *seconds*."""

    requests: int
    seconds: int

    @classmethod
    def of_process(cls, settings: Settings) -> "Quota | None":
        """This process's share of RATE_LIMIT, rounded up; None if there is no limit."""
        if not settings.rate_limit:
            return None
        requests, _, unit = settings.rate_limit.partition("/")
        return cls(ceil(int(requests) / settings.api_workers), RATE_UNITS[unit])

    @property
    def policy(self) -> str:
        """The value of the header RateLimit-Policy."""
        return f'"user";q={self.requests};w={self.seconds}'


class RateLimit:
    """The remaining requests of each client, by the Generic Cell Rate Algorithm (GCRA).

    Unused requests are saved, up to the whole quota. A client's state is one number: the time at
    which its whole quota is free again.
    """

    def __init__(self, quota: Quota, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._interval = quota.seconds / quota.requests
        self._clock = clock
        self._free_at: dict[str, float] = {}
        self._mutex = threading.Lock()

    def take(self, client: str, count: int = 1) -> None:
        """Count *count* requests; raise `QuotaExceeded`, and count none, if they are too many."""
        with self._mutex:
            now = self._clock()
            free_at = max(self._free_at.get(client, now), now) + count * self._interval
            too_early = free_at - now - self.quota.seconds
            if too_early > EPSILON:
                raise QuotaExceeded(max(1, ceil(too_early)))
            if client not in self._free_at and len(self._free_at) >= CLIENTS_MAX:
                self._forget_some()
            self._free_at[client] = free_at

    def state(self, client: str) -> str:
        """The value of the header RateLimit: the remaining requests, and the seconds until all are free."""
        busy = max(0.0, self._free_at.get(client, 0.0) - self._clock())
        remaining = int((self.quota.seconds - busy) / self._interval + EPSILON)
        return f'"user";r={max(0, remaining)};t={ceil(busy - EPSILON)}'

    def _forget_some(self) -> None:
        """Forget half of the clients: those that have the most requests left."""
        clients = nlargest(CLIENTS_MAX // 2, self._free_at.items(), key=lambda item: item[1])
        self._free_at = dict(clients)


def init_app(app: Flask, settings: Settings) -> None:
    """Limit the requests of each client, if RATE_LIMIT is set. Otherwise no request costs anything."""
    quota = Quota.of_process(settings)
    if quota is None:
        return
    limit = RateLimit(quota)

    def count() -> None:
        if request.blueprint not in EXEMPT:
            g.rate_limit, g.client = limit, client_name()
            limit.take(g.client)

    def tell(response: Response) -> Response:
        if "client" in g:
            response.headers["RateLimit-Policy"] = limit.quota.policy
            response.headers["RateLimit"] = limit.state(g.client)
        return response

    app.before_request(count)
    app.after_request(tell)


def client_name() -> str:
    """The name that a request is counted under: its user's, or the API key's; without a token its address.

    An IPv6 address is counted as its network of 64 bits: a provider gives each customer at least one.
    """
    client = principal.of_request()
    if client is not None:
        return f"user {client.name}"
    address = request.remote_addr or ""
    if ":" not in address:
        return address
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or IPv6Network((int(parsed), 64), strict=False))
