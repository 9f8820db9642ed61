"""(4) The relay: sends the outbox's pending events to the broker, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, bindparam, func, select, update

from orders_service import crash_points, runtime
from orders_service.contract import wire
from orders_service.database.columns import Clock, utc_now
from orders_service.events import leases
from orders_service.events.backoff import back_off
from orders_service.events.brokers.port import Delivery, Outgoing, Producer
from orders_service.events.tables import OutboxRow

BATCH = 500
# A lane that failed is tried again with a few events and, if another lane works, with little patience: the
# events of the other lane wait meanwhile.
RETRY_BATCH = 10
RETRY_PATIENCE_SECONDS = 0.01
PATIENCE_SECONDS = 0.05  # How long a step waits for one lane's acknowledgements if other lanes wait, too.
CLOSE_SECONDS = 3.0  # How long `close` waits for acknowledgements.
PAUSE_SECONDS = (0.2, 10.0)  # The first and the longest back-off of a lane after its topic failed.

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

# Built once: an idle relay runs the first one about thirty times a second.
FIRST_LANE = select(func.min(OutboxRow.lane))
NEXT_LANE = FIRST_LANE.where(OutboxRow.lane > bindparam("last"))
OLDEST = (
    select(*COLUMNS)
    .where(OutboxRow.lane == bindparam("lane"), OutboxRow.seq.not_in(bindparam("excluded", expanding=True)))
    .order_by(OutboxRow.seq)
    .limit(BATCH)
)

log = structlog.get_logger()


@dataclass
class Lane:
    """The state of one lane in a relay. Times are of its own monotonic clock."""

    held_until: float = 0.0
    paused_until: float = 0.0
    failures: int = 0
    rows: Rows = ()  # The batch in flight: sent, and not marked yet.
    deliveries: Sequence[Delivery] = ()  # One for each of `rows`, in the same order.


class Relay:
    """Sends one database's pending events to the broker. Each lane (one topic) proceeds independently."""

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        *,
        owner: str,
        lease_seconds: float = 5,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._producer = producer
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lanes: dict[str, Lane] = {}

    def step(self) -> bool:
        """Send and mark a batch of every lane with pending events, oldest first. True if there may be more.

        A batch that is not acknowledged soon is left to the next step, so that it delays no other lane.
        A crash after sending and before marking sends events again; handlers accept redelivery.
        """
        with self._engine.connect() as connection:
            under_way = [name for name, lane in self._lanes.items() if lane.rows]
            names = list(dict.fromkeys([*self._pending_lanes(connection), *under_way]))
            # If a lane has failed, no lane is waited for long: another one may get an event meanwhile.
            alone = len(names) == 1 and not any(lane.failures for lane in self._lanes.values())
            patience = self._lease_seconds / 3 if alone else PATIENCE_SECONDS
            busy = [self._relay(connection, name, patience) for name in names]
            return any(busy)

    def close(self) -> None:
        """Wait for the batches in flight and mark them, release the leases, and close all connections."""
        try:
            until = runtime.monotonic() + CLOSE_SECONDS
            with self._engine.connect() as connection:
                for lane in self._lanes.values():
                    self._producer.wait(lane.deliveries, seconds=max(0.0, until - runtime.monotonic()))
                    self._mark(connection, lane.rows, lane.deliveries)
                leases.release(connection, owner=self._owner)
        finally:
            self._producer.close()
            self._engine.dispose()

    def _pending_lanes(self, connection: Connection) -> list[str]:
        """Each lane that has pending rows. Takes one step in the index (lane, seq) per lane, one if idle."""
        found: list[str] = []
        lane = connection.scalar(FIRST_LANE)
        while lane is not None:
            found.append(lane)
            lane = connection.scalar(NEXT_LANE, {"last": lane})
        connection.rollback()
        return found

    def _relay(self, connection: Connection, name: str, patience: float) -> bool:
        lane = self._lanes.setdefault(name, Lane())
        if not lane.rows:
            if runtime.monotonic() < lane.paused_until or not self._hold(connection, name):
                return False
            self._send(lane, self._fetch(connection, name)[: RETRY_BATCH if lane.failures else BATCH])
            if not lane.rows:
                return False
        # One batch is in flight at a time. Meanwhile the next one is fetched: it is sent before this one is
        # marked.
        ahead = self._fetch(connection, name, excluded=lane.rows) if len(lane.rows) == BATCH else []
        if lane.failures and not all(other.failures for other in self._lanes.values()):
            patience = min(patience, RETRY_PATIENCE_SECONDS)
        if not self._producer.wait(lane.deliveries, seconds=patience):
            self._hold(connection, name)
            return True
        crash_points.at("relay.acknowledged")
        rows, sent = lane.rows, lane.deliveries
        failed = next((d.error for d in sent if d.error and not d.permanent), None)
        go_on = failed is None and self._hold(connection, name)
        self._send(lane, ahead if go_on else [])
        self._mark(connection, rows, sent)
        crash_points.at("relay.marked")
        if failed is None:
            lane.failures = 0
            return True
        lane.failures += 1
        pause = back_off(lane.failures, shortest=PAUSE_SECONDS[0], longest=PAUSE_SECONDS[1])
        lane.paused_until = runtime.monotonic() + pause
        log.warning(
            "cannot send to the topic", topic=name, error=str(failed), again_in_seconds=round(pause, 1)
        )
        return False

    def _hold(self, connection: Connection, name: str) -> bool:
        """Renew the lease if less than half of it is left. True if this relay has the lane."""
        lane, now = self._lanes[name], runtime.monotonic()
        if lane.held_until - now < self._lease_seconds / 2:
            mine = leases.acquire(connection, name, owner=self._owner, seconds=self._lease_seconds)
            lane.held_until = now + self._lease_seconds if mine else 0.0
        return lane.held_until > now

    def _fetch(self, connection: Connection, name: str, *, excluded: Rows = ()) -> Rows:
        """The oldest pending rows except *excluded*, with at most one event of each order.

        An order's next event waits for the outcome of this one: otherwise it could arrive first.
        """
        # Starts at the oldest each time: a row with a lower `seq` may be committed after those with higher.
        pending = {"lane": name, "excluded": [row.seq for row in excluded]}
        found = connection.execute(OLDEST, pending).all()
        connection.rollback()
        first: dict[str, Any] = {}
        for row in found:
            first.setdefault(row.aggregateid, row)
        return list(first.values())

    def _send(self, lane: Lane, rows: Rows) -> None:
        if not rows:
            lane.rows, lane.deliveries = (), ()
            return
        crash_points.at("relay.fetched")
        lane.rows, lane.deliveries = rows, self._producer.send([_outgoing(row) for row in rows])
        crash_points.at("relay.sent")

    def _mark(self, connection: Connection, rows: Rows, sent: Sequence[Delivery]) -> None:
        acknowledged = [row.seq for row, delivery in zip(rows, sent, strict=True) if delivery.acknowledged]
        if acknowledged:
            connection.execute(
                update(OutboxRow)
                .where(OutboxRow.seq.in_(acknowledged))
                .values(lane=None, published_at=self._clock(), error=None)
            )
        for row, delivery in zip(rows, sent, strict=True):
            if delivery.permanent:
                log.error(
                    "event set aside",
                    topic=row.topic,
                    event_id=row.id,
                    order=row.aggregateid,
                    error=str(delivery.error),
                )
                connection.execute(
                    update(OutboxRow)
                    .where(OutboxRow.seq == row.seq)
                    .values(lane=None, error=str(delivery.error)[:512])
                )
        connection.commit()


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
        headers=wire.write_headers(attributes, row.traceparent),
    )
