"""Explains an error of a command in a sentence."""

import sqlite3
import traceback

from sqlalchemy.exc import DBAPIError

from orders_service.database.errors import is_not_migrated
from orders_service.events.brokers.port import BrokerError
from orders_service.settings import FIELDS, SettingsError

FAILED, USAGE = 1, 2


def of_error(error: Exception) -> tuple[int, str]:
    """The exit code and the message for an exception that is not a click exception."""
    if isinstance(error, SettingsError):
        problems = "".join(f"\n  {line}" for line in error.problems)
        return USAGE, f"The settings are invalid:{problems}"
    if isinstance(error, DBAPIError):
        advice = ". Run: orders-service migrate" if is_not_migrated(error) else ""
        return FAILED, f"Error: database error: {error.orig}{advice}"
    if isinstance(error, OSError | BrokerError | sqlite3.Error):
        return FAILED, f"Error: {error}"
    return FAILED, "".join(traceback.format_exception(error)).rstrip()


def of_option(option: str) -> str:
    """A hint for an unknown option that is a setting: for `--port`, API_PORT."""
    name = option.lstrip("-").replace("-", "_")
    found = next((known for known in (name, f"api_{name}") if known in FIELDS), None)
    return f" Set it in the environment: {found.upper()}=…" if found else ""
