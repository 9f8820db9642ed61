"""Logs: lines for a person at a terminal, JSON for a machine."""

import logging
import sys
import textwrap

import structlog

from orders_service.printable import printable, safe, without_passwords

# What kafka-python says of a connection that was lost, by logger. It connects again at once, and says
# "Connection failed" (kafka.net.manager) if that is not possible: then somebody has to look.
LOST = {
    "kafka.net.transport": ("%s: socket disconnected", "%s: Abort", "%s: Error "),
    "kafka.net.connection": ("%s: Connection lost",),
    "kafka.cluster": ("Metadata refresh: failed", "No node available"),
    "kafka.coordinator": ("Marking the coordinator dead", "Error sending"),
    "kafka.consumer.fetcher": ("Fetch to node",),
    "kafka.producer.sender": ("%s: Error sending produce request",),
}


class LostConnections(logging.Filter):
    """Lowers a lost connection of kafka-python from error to info. Brokers end those that are idle."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.INFO and str(record.msg).startswith(LOST.get(record.name, ("\0",))):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.exc_info = None
            return logging.getLogger("orders_service").isEnabledFor(logging.INFO)
        return True


def configure(level: str) -> None:
    """Log from *level* on to stderr, our own lines and the libraries' warnings alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer()
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


def _make_safe(
    _: structlog.typing.WrappedLogger, __: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Make every text of a line safe to print.

    A traceback keeps its lines, indented: the text of an error must not look like the next line of the log.
    """
    for name, value in line.items():
        if name == "exception":
            line[name] = textwrap.indent(safe(value), "  ")
        elif not isinstance(value, bool | int | float | None):
            line[name] = printable(without_passwords(str(value)))
    return line
