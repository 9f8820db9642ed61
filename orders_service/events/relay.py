"""(4) From the outbox to the broker, oldest first."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from orders_service import crash_points
from orders_service.database import Clock, utc_now
from orders_service.events import envelope, leases
from orders_service.events.broker import Delivery, Outgoing, Producer
from orders_service.events.purge import purge
from orders_service.events.rest import rest
from orders_service.events.tables import OutboxRow

BATCH = 500
PURGE_SECONDS = 60  # How often an idle relay looks for what is old enough to be deleted.
REST_SECONDS = (0.2, 10.0)  # A lane whose topic failed rests this long at first, and at most.

log = structlog.get_logger()


@dataclass
class Lane:
    """What a relay remembers of one lane, by its own monotonic clock."""

    held_until: float = 0.0
    rests_until: float = 0.0
    failures: int = 0


class Relay:
    """Carries one database's pending events to the broker, each lane (one topic) by itself."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        producer: Producer,
        *,
        owner: str,
        lease_seconds: float = 5,
        keep: timedelta = timedelta(days=14),
        clock: Clock = utc_now,
    ) -> None:
        self._sessions = sessions
        self._producer = producer
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._keep = keep
        self._clock = clock
        self._purge_at = 0.0
        self._lanes: dict[str, Lane] = {}

    def step(self) -> bool:
        """Publish the oldest pending events of every lane. True if there may be more.

        A crash after sending and before marking sends them again; handlers do not mind.
        """
        with self._sessions() as session:
            busy = [self._relay(session, lane) for lane in self._pending_lanes(session)]
            if not any(busy):
                self._purge(session)
            return any(busy)

    def close(self) -> None:
        """Release the lanes and let the producer go."""
        try:
            with self._sessions() as session:
                leases.release(session, owner=self._owner)
        finally:
            self._producer.close()

    def _purge(self, session: Session) -> None:
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + PURGE_SECONDS
            if rows := sum(purge(session, before=self._clock() - self._keep)):
                log.info("published events purged", rows=rows)

    def _pending_lanes(self, session: Session) -> list[str]:
        """Each lane that has pending rows: one step in the index (lane, seq) per lane, one when idle."""
        found: list[str] = []
        while True:
            smallest = select(func.min(OutboxRow.lane))
            if found:
                smallest = smallest.where(OutboxRow.lane > found[-1])
            lane = session.scalar(smallest)
            if lane is None:
                session.rollback()
                return found
            found.append(lane)

    def _relay(self, session: Session, name: str) -> bool:
        lane = self._lanes.setdefault(name, Lane())
        if time.monotonic() < lane.rests_until or not self._hold(session, name):
            return False
        rows = self._fetch(session, name)
        crash_points.at("relay.fetched")
        deliveries = self._producer.send([_outgoing(row) for row in rows])
        crash_points.at("relay.sent")
        while not self._producer.wait(deliveries, seconds=self._lease_seconds / 3):
            self._hold(session, name)
        crash_points.at("relay.acknowledged")
        self._mark(session, rows, deliveries)
        crash_points.at("relay.marked")
        failed = next((d.error for d in deliveries if d.error and not d.for_good), None)
        if failed is None:
            lane.failures = 0
            return bool(rows)
        lane.failures += 1
        pause = rest(lane.failures, shortest=REST_SECONDS[0], longest=REST_SECONDS[1])
        lane.rests_until = time.monotonic() + pause
        log.warning("topic refuses", topic=name, error=str(failed), again_in_seconds=round(pause, 1))
        return False

    def _hold(self, session: Session, name: str) -> bool:
        """Own the lane for at least half a lease more."""
        lane, now = self._lanes[name], time.monotonic()
        if lane.held_until - now < self._lease_seconds / 2:
            mine = leases.acquire(session, name, owner=self._owner, seconds=self._lease_seconds)
            lane.held_until = now + self._lease_seconds if mine else 0.0
        return lane.held_until > now

    def _fetch(self, session: Session, name: str) -> list[Row[tuple[object, ...]]]:
        """The oldest pending rows, an order at most once: its next event waits for this one's outcome."""
        table = OutboxRow.__table__
        rows = session.execute(
            select(table).where(table.c.lane == name).order_by(table.c.seq).limit(BATCH)
        ).all()
        session.rollback()
        return list({row.aggregateid: row for row in reversed(rows)}.values())[::-1]

    def _mark(
        self, session: Session, rows: Sequence[Row[tuple[object, ...]]], sent: Sequence[Delivery]
    ) -> None:
        acknowledged = [row.seq for row, delivery in zip(rows, sent, strict=True) if delivery.acknowledged]
        if acknowledged:
            session.execute(
                update(OutboxRow)
                .where(OutboxRow.seq.in_(acknowledged))
                .values(lane=None, published_at=self._clock(), error=None)
            )
        for row, delivery in zip(rows, sent, strict=True):
            if delivery.for_good:
                log.error(
                    "event set aside",
                    topic=row.topic,
                    event_id=row.id,
                    order=row.aggregateid,
                    error=str(delivery.error),
                )
                session.execute(
                    update(OutboxRow)
                    .where(OutboxRow.seq == row.seq)
                    .values(lane=None, error=str(delivery.error)[:512])
                )
        session.commit()


def _outgoing(row: Row[tuple[object, ...]]) -> Outgoing:
    attributes = {
        "id": row.id,
        "source": row.source,
        "specversion": row.specversion,
        "type": row.type,
        "time": row.time,
        "subject": row.aggregateid,
    }
    return Outgoing(
        topic=row.topic,
        key=row.key.encode(),
        value=row.payload.encode(),
        headers=envelope.write(attributes, row.traceparent),
    )
