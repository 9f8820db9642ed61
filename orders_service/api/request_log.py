"""The access log, and the ids that the log lines of a request have."""

import re
from typing import Any

from flask import g, has_request_context, request

from orders_service import logs
from orders_service.api import own_time, request_ids
from orders_service.api.errors import shortened
from orders_service.api.identity import principal
from orders_service.api.request_metrics import NO_ROUTE
from orders_service.api.routes import path_of
from orders_service.contract.wire import trace_id_of
from orders_service.per_second import PerSecond
from orders_service.printable import printable, without_passwords

SLOW_SECONDS = 1.0
FAILED = 500  # The smallest status that is an error of ours.
# Unless every request is to have a line: an overload must not be made worse by its log.
LINES_PER_SECOND = 100
NEVER = 1000  # A status that no answer has, and seconds that none takes.
# From which status, and from how many seconds, a request has a line, by LOG_REQUESTS.
FROM = {"off": (NEVER, NEVER), "errors": (FAILED, NEVER), "slow": (FAILED, SLOW_SECONDS), "all": (0, NEVER)}
PLAIN = re.compile(r"[\w.-]{1,64}", re.ASCII)  # Such a text is safe to print as it is.


class RequestLog:
    """Writes the line of a request, if LOG_REQUESTS asks for it. Costs 7 µs, and 0.1 µs without a line.

    The line has no body, no token and no query parameter, and the route instead of the path. Beyond
    LINES_PER_SECOND no line is written, except with `all`, and a line says how many were left out.
    """

    def __init__(self, which: str, *, bound: PerSecond | None = None) -> None:
        self._status, self._seconds = FROM[which]
        self._bound = None if which == "all" else bound or PerSecond(LINES_PER_SECOND)
        self._left_out = 0

    def note(self, asked: Any, status: int, seconds: float) -> None:
        """Note an answered request. One that waits for an order, as its client asked, is never slow."""
        if status >= self._status or (seconds > self._seconds and not own_time.waits(asked.environ)):
            if self._bound is not None and not self._bound.take():
                self._left_out += 1
                return
            if self._left_out:
                logs.lines.write("warning", "requests without a line", {"count": self._left_out})
                self._left_out = 0
            self._write(asked, status, seconds)

    def _write(self, asked: Any, status: int, seconds: float) -> None:
        environ, rule = asked.environ, asked.url_rule
        fields: dict[str, Any] = {
            "method": _clean(asked.method),
            "route": path_of(rule.rule) if rule else NO_ROUTE,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": printable(without_passwords(request_ids.of(environ))),
        }
        if trace_id := trace_id_of(environ.get("HTTP_TRACEPARENT")):
            fields["trace_id"] = trace_id
        client, named = principal.of_request(), asked.view_args or {}
        if user := client.name if client else named.get("user_id"):
            fields["user"] = _clean(user)
        if order_id := _order_id() or (status < 400 and named.get("order_id")):
            fields["order_id"] = _clean(order_id)
        is_slow = seconds > SLOW_SECONDS and not own_time.waits(environ)
        logs.lines.write("error" if status >= FAILED else "warning" if is_slow else "info", "request", fields)


def add_to_line(_: object, __: str, line: Any) -> Any:
    """Add trace and order to a log line that is written while a request is served."""
    if has_request_context():
        if trace_id := trace_id_of(request.environ.get("HTTP_TRACEPARENT")):
            line.setdefault("trace_id", trace_id)
        if order_id := _order_id():
            line.setdefault("order_id", order_id)
    return line


PROCESSORS = (request_ids.add_to_line, principal.add_to_line, add_to_line)


def _order_id() -> str | None:
    order_id: str | None = g._get_current_object().get("order_id")
    return order_id


def _clean(text: str) -> str:
    return text if PLAIN.fullmatch(text) else printable(without_passwords(shortened(text)))
