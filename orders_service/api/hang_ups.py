"""Finds clients that have hung up while their requests wait: otherwise each would keep its seat."""

import select
from collections.abc import Iterable
from typing import Any

from gevent.monkey import get_original

# macOS has no POLLRDHUP. There a client that closes its connection is noticed when something is sent to it.
CLOSED = getattr(select, "POLLRDHUP", 0)


def client_of(environ: dict[str, Any]) -> int | None:
    """The file descriptor of the client's socket; None if the server does not tell it."""
    client = environ.get("gunicorn.socket")
    return None if client is None else client.fileno()


def hung_up(clients: Iterable[int]) -> set[int]:
    """Those *clients* that have closed their connections, or at least their sides of them."""
    # gevent's `poll` does not know POLLRDHUP; and this one never waits.
    poll = get_original("select", "poll")()
    for client in clients:
        poll.register(client, CLOSED)
    return {client for client, _ in poll.poll(0)}
