"""The right to relay one lane for a while. It keeps events from being sent twice; nothing rests on it."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orders_service.database import changed, database_now
from orders_service.events.tables import Lease


def acquire(session: Session, lane: str, *, owner: str, seconds: float) -> bool:
    """Take the lane, or keep it, for *seconds* from now by the database's clock. False: another has it.

    Commits or rolls back by itself: a lease counts from the moment others can see it.
    """
    mine = {"owner": owner, "expires_at": database_now(seconds)}
    try:
        taken = changed(
            session,
            update(Lease)
            .where(Lease.lane == lane, (Lease.owner == owner) | (Lease.expires_at <= database_now()))
            .values(mine),
        )
        if not taken and session.get(Lease, lane) is not None:
            session.rollback()
            return False
        if not taken:
            session.execute(insert(Lease).values(lane=lane, **mine))
        session.commit()
    except IntegrityError:  # Another was the first ever to take this lane.
        session.rollback()
        return False
    return True


def holder(session: Session, lane: str) -> str | None:
    """Who has the lane now; None if nobody."""
    return session.scalar(select(Lease.owner).where(Lease.lane == lane, Lease.expires_at > database_now()))


def release(session: Session, *, owner: str) -> None:
    """Give up every lane of *owner*, so that another can go on at once."""
    session.execute(update(Lease).where(Lease.owner == owner).values(expires_at=database_now()))
    session.commit()
