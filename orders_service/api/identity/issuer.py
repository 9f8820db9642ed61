"""Fetches the public keys of a token issuer over HTTP."""

import time
from http.client import HTTPException
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from orders_service.api.identity.key_sets import SET_BYTES_MAX

SOCKET_SECONDS = 2  # For the connection, and for each read.
FETCH_SECONDS = 5  # From the request to the last byte of the body, once the head has arrived.
READ_BYTES = 64 * 1024


class NoRedirects(HTTPRedirectHandler):
    """Treats a redirect as an error: the keys come from the configured address, or from none."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch(url: str) -> tuple[bytes, str]:
    """The body and the Date header of the answer; raises OSError. The variable `HTTPS_PROXY` is honoured."""
    deadline = time.monotonic() + FETCH_SECONDS
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "orders-service"})
    text = b""
    try:
        with build_opener(NoRedirects).open(request, timeout=SOCKET_SECONDS) as response:
            while more := response.read1(READ_BYTES):
                text += more
                if len(text) > SET_BYTES_MAX:
                    raise OSError(f"the answer has more than {SET_BYTES_MAX} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the answer was not complete after {FETCH_SECONDS} s")
            return text, response.headers.get("Date") or ""
    except (HTTPException, ValueError) as error:
        raise OSError(f"the answer is not HTTP: {error!r}") from error
