"""Logging: readable lines on a terminal, JSON otherwise."""

import json
import logging
import sys
import textwrap
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from orders_service.printable import printable, safe, without_passwords

# The messages that kafka-python logs for a lost connection, by logger. It reconnects at once. If that fails,
# it logs "Connection failed" (kafka.net.manager), which keeps its level: somebody has to look at it.
LOST = {
    "kafka.net.transport": ("%s: socket disconnected", "%s: Abort", "%s: Error "),
    "kafka.net.connection": ("%s: Connection lost",),
    "kafka.cluster": ("Metadata refresh: failed", "No node available"),
    "kafka.coordinator": ("Marking the coordinator dead", "Error sending"),
    "kafka.consumer.fetcher": ("Fetch to node",),
    "kafka.producer.sender": ("%s: Error sending produce request",),
}


class LostConnections(logging.Filter):
    """Lowers kafka-python's messages about a lost connection to info: brokers close idle connections."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.INFO and str(record.msg).startswith(LOST.get(record.name, ("\0",))):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.exc_info = None
            return logging.getLogger("orders_service").isEnabledFor(logging.INFO)
        return True


def configure(level: str, form: str, *more: structlog.typing.Processor) -> None:
    """Log to stderr: our own messages from *level* up, those of libraries from WARNING up.

    *form* is a value of LOG_FORMAT. *more* are processors that add to each line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        *more,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    is_terminal = sys.stderr.isatty()
    if form == "pretty" or (form == "auto" and is_terminal):
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=is_terminal)
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _make_safe,
                renderer,
            ],
        )
    )
    handler.addFilter(LostConnections())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("orders_service").setLevel(level.upper())
    lines.use(handler, renderer)


class Lines:
    """Writes lines of which there are many, in the format of the others, at a fifth of their cost.

    Its caller makes the fields safe to print, and decides whether the line is written, whatever LOG_LEVEL is.
    """

    def __init__(self) -> None:
        self._handler: logging.StreamHandler[Any] | None = None  # None: nothing is logged yet.
        self._render: structlog.typing.Processor = structlog.processors.JSONRenderer()

    def use(self, handler: "logging.StreamHandler[Any]", renderer: structlog.typing.Processor) -> None:
        """Write where *handler* writes. *renderer* makes a line of JSON, or a pretty one."""
        self._handler, self._render = handler, renderer

    def write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """Write a line with *fields*."""
        if (handler := self._handler) is None:
            return
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        fields |= {"event": event, "level": level, "timestamp": now}
        if isinstance(self._render, structlog.processors.JSONRenderer):
            line = orjson.dumps(fields).decode()
            text = line if line.isascii() else json.dumps(fields)
        else:
            text = str(self._render(None, level, fields))
        # As in `logging`, a log that cannot be written changes nothing else: no answer, no order.
        with suppress(OSError, ValueError), handler.lock or nullcontext():
            handler.stream.write(f"{text}\n")
            handler.stream.flush()


lines = Lines()


def _make_safe(
    _: structlog.typing.WrappedLogger, __: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Make every text in a log line safe to print: hide passwords, escape control characters.

    The lines of a traceback are indented, so that the text of an error cannot look like another log line.
    """
    for name, value in line.items():
        if name == "exception":
            line[name] = textwrap.indent(safe(value), "  ")
        elif not isinstance(value, bool | int | float | None):
            line[name] = printable(without_passwords(str(value)))
    return line
