"""Remembers who sent which Authorization header, because verifying a token costs as much as an order."""

import threading
import time
from collections import OrderedDict

from orders_service.api.identity.principal import Principal

ENTRIES_MAX = 10_000
# The headers together. Ten thousand of the longest would take ten times as much.
BYTES_MAX = 8 * 1024 * 1024
KEEP_SECONDS = 60  # A key that was withdrawn is accepted for so long.


class KnownHeaders:
    """The clients of verified headers, each until its token expires, and for KEEP_SECONDS at most."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
        self._bytes = 0
        self._mutex = threading.Lock()

    def get(self, header: str) -> Principal | None:
        """The client that sent this header, if that is known."""
        entry = self._entries.get(header)
        return entry[1] if entry is not None and entry[0] > time.time() else None

    def put(self, header: str, principal: Principal, expires: float) -> None:
        """Remember a verified header. At the limit, the oldest ones are forgotten."""
        entry = min(expires, time.time() + KEEP_SECONDS), principal
        with self._mutex:
            if self._entries.pop(header, None) is None:
                self._bytes += len(header)
            self._entries[header] = entry
            while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
                oldest, _ = self._entries.popitem(last=False)
                self._bytes -= len(oldest)
