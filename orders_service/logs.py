"""Logs: lines for a person at a terminal, JSON for a machine."""

import logging
import sys
import textwrap

import structlog

from orders_service.printable import printable, safe, without_passwords


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
