"""The header Idempotency-Key."""

import re

from flask import request

from orders_service.api.errors import InvalidKey

# A key with or without quotes. Only a quoted key may contain a comma, which also joins repeated headers.
KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x7e]{1,255})')


def idempotency_key() -> str | None:
    """The key in the request's Idempotency-Key header, without quotes, or None; raises `InvalidKey`."""
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    match = KEY.fullmatch(header.strip())
    if match is None:
        raise InvalidKey("Send one Idempotency-Key of 1 to 255 visible ASCII characters.")
    return match[1] or match[2]
