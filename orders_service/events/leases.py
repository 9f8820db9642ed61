"""The right to relay one lane for a while. It keeps events from being sent twice; nothing rests on it."""

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orders_service.database import changed, database_now
from orders_service.events.tables import Lease


def acquire(connection: Connection, lane: str, *, owner: str, seconds: float) -> bool:
    """Take the lane, or keep it, for *seconds* from now by the database's clock. False: another has it.

    Commits or rolls back by itself: a lease counts from the moment others can see it.
    """
    mine = {"owner": owner, "expires_at": database_now(seconds)}
    try:
        taken = changed(
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
    except IntegrityError:  # Another was the first ever to take this lane.
        connection.rollback()
        return False
    return True


def holder(session: Session, lane: str) -> str | None:
    """Who has the lane now; None if nobody."""
    return session.scalar(select(Lease.owner).where(Lease.lane == lane, Lease.expires_at > database_now()))


def release(connection: Connection, *, owner: str) -> None:
    """Give up every lane of *owner*, so that another can go on at once."""
    connection.execute(update(Lease).where(Lease.owner == owner).values(expires_at=database_now()))
    connection.commit()
