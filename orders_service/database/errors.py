"""Tells the errors of a database apart: conflicts, bad values, a missing table."""

from sqlalchemy.exc import DBAPIError, IntegrityError

from orders_service.database import sessions

# A value that the column cannot hold: out of range (1264), wrong (1366), too long (1406).
DATA_ERRORS = frozenset({1264, 1366, 1406})
# Conflicts with another transaction: row changed (1020), lock wait time-out (1205), deadlock (1213).
CONFLICTS = frozenset({1020, 1205, 1213})
# The connection was refused (2003), is gone (2006) or lost (2013), or the server shuts down (1053).
LOST = sessions.REFUSED | {1053, 2003, 2006, 2013}


def is_worth_a_retry(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed if it is retried at once."""
    return (
        error.connection_invalidated
        or isinstance(error, IntegrityError)  # The same key was committed first; the retry reads its row.
        or error_code(error) in CONFLICTS
        or "database is locked" in str(error.orig)
    )


def is_lost(error: DBAPIError) -> bool:
    """Whether there was no server, or only one that refuses to work: another one may take over."""
    code = error_code(error)
    return code in LOST or (error.connection_invalidated and code not in sessions.FORBIDDEN)


def error_code(error: DBAPIError) -> int | None:
    """MariaDB's error number, or None."""
    return sessions.code_of(error.orig)


def in_short(error: Exception) -> str:
    """The database's own error message, without the statement."""
    return str(error.orig if isinstance(error, DBAPIError) else error)


NOT_MIGRATED = frozenset({1054, 1146})  # MariaDB's numbers for a missing column and a missing table.


def is_not_migrated(error: Exception) -> bool:
    """Whether the error is a missing table or column, which `orders-service migrate` would create."""
    if not isinstance(error, DBAPIError):
        return False
    return error_code(error) in NOT_MIGRATED or "no such " in str(error.orig)
