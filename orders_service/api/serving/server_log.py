"""gunicorn's log, in the format of our own."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]
    """Passes gunicorn's log lines to the handler of `logs`: the same format, and safe to print.

    The lines may quote what a client sent: `Invalid request from ip=…: …`.
    """

    def setup(self, cfg: Any) -> None:
        """Remove gunicorn's handler. gunicorn calls this again when it reloads its configuration."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
