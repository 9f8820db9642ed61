"""gunicorn's log, as lines of ours."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]
    """Hands gunicorn's lines to the handler of `logs`: the same format, and safe to print.

    They hold what a stranger sent: `Invalid request from ip=…: …`.
    """

    def setup(self, cfg: Any) -> None:
        """Called again when the configuration is read again."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
