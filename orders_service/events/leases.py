"""Leases: the right to relay one lane for a while.

They only keep two relays from sending the same events. Correctness does not depend on them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orders_service.database.columns import database_now
from orders_service.database.transactions import execute_and_count
from orders_service.events.tables import Lease


@dataclass(frozen=True)
class Held:
    """A lease that has not expired, and how many seconds it still has."""

    lane: str
    owner: str
    seconds: float


def acquire(connection: Connection, lane: str, *, owner: str, seconds: float) -> bool:
    """Acquire or renew a lane's lease for *seconds*, by the database's clock. False if another has it.

    Commits or rolls back itself: a lease counts only when others can see it.
    """
    mine = {"owner": owner, "expires_at": database_now(seconds)}
    try:
        taken = execute_and_count(
            connection,
            update(Lease)
            .where(Lease.lane == lane, (Lease.owner == owner) | (Lease.expires_at <= database_now()))
            .values(mine),
        )
        if not taken and connection.scalar(select(Lease.lane).where(Lease.lane == lane)) is not None:
            connection.rollback()
            return False
        if not taken:
            connection.execute(insert(Lease).values(lane=lane, **mine))
        connection.commit()
    except IntegrityError:  # Another relay inserted the first lease of this lane.
        connection.rollback()
        return False
    return True


def holder(session: Session, lane: str) -> str | None:
    """The owner of the lane's present lease; None if there is none."""
    return session.scalar(select(Lease.owner).where(Lease.lane == lane, Lease.expires_at > database_now()))


def held(session: Session) -> list[Held]:
    """The leases that have not expired. A database has few lanes."""
    now = database_now()
    rows = session.execute(
        select(Lease.lane, Lease.owner, Lease.expires_at, now.label("now")).where(Lease.expires_at > now)
    )
    return [Held(row.lane, row.owner, (row.expires_at - row.now).total_seconds()) for row in rows]


def release(connection: Connection, *, owner: str) -> None:
    """Release every lease of *owner*, so that another relay can take over at once."""
    connection.execute(update(Lease).where(Lease.owner == owner).values(expires_at=database_now()))
    connection.commit()
