"""(4) From the outbox to the broker, oldest first."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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
BATCHES = 10  # Of one lane in one step; then it is another's turn.
PURGE_SECONDS = 60  # How often an idle relay looks for what is old enough to be deleted.
REST_SECONDS = (0.2, 10.0)  # A lane whose topic failed rests this long at first, and at most.

Rows = Sequence[Row[Any]]
COLUMNS = (
    OutboxRow.seq,
    OutboxRow.id,
    OutboxRow.specversion,
    OutboxRow.source,
    OutboxRow.type,
    OutboxRow.aggregateid,
    OutboxRow.time,
    OutboxRow.topic,
    OutboxRow.key,
    OutboxRow.payload,
    OutboxRow.traceparent,
)

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
        batches = self._batches(session, name)
        busy = rows = next(batches)
        deliveries = self._send(rows)
        failed = None
        while rows:
            # One batch is on its way at a time. Meanwhile the last one is marked, and the next one fetched.
            ahead = next(batches, [])
            while not self._producer.wait(deliveries, seconds=self._lease_seconds / 3):
                self._hold(session, name)
            crash_points.at("relay.acknowledged")
            failed = next((d.error for d in deliveries if d.error and not d.for_good), None)
            go_on = failed is None and self._hold(session, name)
            sent, following = deliveries, self._send(ahead) if go_on else []
            self._mark(session, rows, sent)
            crash_points.at("relay.marked")
            rows, deliveries = ahead if go_on else [], following
        if failed is None:
            lane.failures = 0
            return bool(busy)
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

    def _batches(self, session: Session, name: str) -> Iterator[Rows]:
        """The oldest pending rows, then those that come next while the last batch is on its way.

        In all of them an order is at most once: its next event waits for this one's outcome.
        """
        pending = select(*COLUMNS).where(OutboxRow.lane == name).order_by(OutboxRow.seq).limit(BATCH)
        rows: list[Any] = []
        orders: set[str] = set()
        for _ in range(BATCHES):
            # From the oldest on each time: one that was recorded before others may be committed after them.
            on_their_way = [row.seq for row in rows]
            found = session.execute(pending.where(OutboxRow.seq.not_in(on_their_way))).all()
            session.rollback()
            rows = []
            for row in found:
                if row.aggregateid not in orders:
                    orders.add(row.aggregateid)
                    rows.append(row)
            yield rows
            if len(found) < BATCH:
                return

    def _send(self, rows: Rows) -> list[Delivery]:
        crash_points.at("relay.fetched")
        deliveries = self._producer.send([_outgoing(row) for row in rows])
        crash_points.at("relay.sent")
        return deliveries

    def _mark(self, session: Session, rows: Rows, sent: Sequence[Delivery]) -> None:
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


def _outgoing(row: Row[Any]) -> Outgoing:
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
