"""(4) The relay: sends the outbox's pending events to the broker, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection, Engine, update

from orders_service import crash_points, runtime
from orders_service.database.columns import Clock, utc_now
from orders_service.events import leases, traced
from orders_service.events.backoff import back_off
from orders_service.events.brokers.port import Delivery, Producer
from orders_service.events.lanes import BATCH, FIRST_LANE, NEXT_LANE, OLDEST, Rows, outgoing
from orders_service.events.tables import OutboxRow
from orders_service.metrics.relays import LaneMetrics

if TYPE_CHECKING:
    from orders_service.tracing.spans import Batch

# A lane that failed is tried again with a few events and, if another lane works, with little patience: the
# events of the other lane wait meanwhile.
RETRY_BATCH = 10
RETRY_PATIENCE_SECONDS = 0.01
PATIENCE_SECONDS = 0.05  # How long a step waits for one lane's acknowledgements if other lanes wait, too.
CLOSE_SECONDS = 3.0  # How long `close` waits for acknowledgements.
PAUSE_SECONDS = (0.2, 10.0)  # The first and the longest back-off of a lane after its topic failed.

log = structlog.get_logger()


@dataclass
class Lane:
    """The state of one lane in a relay. Times are of its own monotonic clock."""

    metrics: LaneMetrics
    held_until: float = 0.0
    paused_until: float = 0.0
    failures: int = 0
    sent_at: float = 0.0
    rows: Rows = ()  # The batch in flight: sent, and not marked yet.
    deliveries: Sequence[Delivery] = ()  # One for each of `rows`, in the same order.
    spans: "Batch | None" = None  # Those of `rows` that are traced.


class Relay:
    """Sends one database's pending events to the broker. Each lane (one topic) proceeds independently."""

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        *,
        owner: str,
        topics: Sequence[str] = (),
        lease_seconds: float = 5,
        clock: Clock = utc_now,
    ) -> None:
        """*topics* are those that it will send to: their metrics begin at 0."""
        self._engine = engine
        self._producer = producer
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        for topic in topics:
            LaneMetrics(topic)

    def step(self) -> bool:
        """Send and mark a batch of every lane with pending events, oldest first. True if there may be more.

        A batch that is not acknowledged soon is left to the next step, so that it delays no other lane.
        A crash after sending and before marking sends events again; handlers accept redelivery.
        """
        self._show_leases()
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
                    traced.end_send(lane.spans, lane.deliveries)
                    self._mark(connection, lane, lane.rows, lane.deliveries)
                leases.release(connection, owner=self._owner)
        finally:
            for lane in self._lanes.values():
                lane.metrics.show_lease(is_held=False)
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
        lane = self._lanes.get(name) or self._lanes.setdefault(name, Lane(LaneMetrics(name)))
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
        if failed is None:
            lane.metrics.observe_ack(runtime.monotonic() - lane.sent_at)
        traced.end_send(lane.spans, sent)
        go_on = failed is None and self._hold(connection, name)
        self._send(lane, ahead if go_on else [])
        self._mark(connection, lane, rows, sent)
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

    def _show_leases(self) -> None:
        """Show which leases have not expired. An idle relay renews none."""
        now = runtime.monotonic()
        for lane in self._lanes.values():
            lane.metrics.show_lease(is_held=lane.held_until > now)

    def _hold(self, connection: Connection, name: str) -> bool:
        """Renew the lease if less than half of it is left. True if this relay has the lane."""
        lane, now = self._lanes[name], runtime.monotonic()
        if lane.held_until - now < self._lease_seconds / 2:
            mine = leases.acquire(connection, name, owner=self._owner, seconds=self._lease_seconds)
            lane.held_until = now + self._lease_seconds if mine else 0.0
            lane.metrics.show_lease(is_held=mine)
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
            lane.rows, lane.deliveries, lane.spans = (), (), None
            return
        spans, sent_at = traced.begin_send(rows), runtime.monotonic()
        crash_points.at("relay.fetched")
        deliveries = self._producer.send([outgoing(row) for row in rows])
        # All at once: if `send` fails, the lane keeps its earlier batch, and what belongs to that.
        lane.rows, lane.deliveries, lane.spans, lane.sent_at = rows, deliveries, spans, sent_at
        crash_points.at("relay.sent")

    def _mark(self, connection: Connection, lane: Lane, rows: Rows, sent: Sequence[Delivery]) -> None:
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
                    order_id=row.aggregateid,
                    error=str(delivery.error),
                    **traced.in_log(row.traceparent),
                )
                connection.execute(
                    update(OutboxRow)
                    .where(OutboxRow.seq == row.seq)
                    .values(lane=None, error=str(delivery.error)[:512])
                )
        connection.commit()
        lane.metrics.count_events(
            acknowledged=len(acknowledged),
            failed=sum(bool(delivery.error) and not delivery.permanent for delivery in sent),
            set_aside=sum(delivery.permanent for delivery in sent),
        )
