"""An operator's view of an outbox: its lanes with their relay."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from orders_service.events import leases, pending

COUNTED = 10_000  # The pending events of a lane are counted up to here.


@dataclass(frozen=True)
class Lane:
    """A topic with its pending events, and the relay that may send them."""

    topic: str
    pending: int
    oldest: datetime | None
    owner: str | None
    lease_seconds: float | None


def lanes(session: Session) -> list[Lane]:
    """Every lane that has pending events, or a relay."""
    held = {lease.lane: lease for lease in leases.held(session)}
    waiting = {lane.lane: lane for lane in pending.by_lane(session, most=COUNTED)}
    found = []
    for topic in sorted(held.keys() | waiting.keys()):
        events, lease = waiting.get(topic), held.get(topic)
        found.append(
            Lane(
                topic,
                events.events if events else 0,
                events.oldest if events else None,
                lease.owner if lease else None,
                lease.seconds if lease else None,
            )
        )
    return found
