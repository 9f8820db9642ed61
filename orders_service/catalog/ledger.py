"""The ledger: makes the one decision about each order, on locked products."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from orders_service.catalog.product import Product, Reservation, State
from orders_service.contract.events import (
    Event,
    InvalidOrder,
    OrderEvent,
    Reason,
    StockRejected,
    StockReserved,
)
from orders_service.database.columns import text_of
from orders_service.database.rows import RowWriter
from orders_service.events.errors import Conflicting

# These statements are built once, and executed without the ORM, which would double the time.
INSERT_RESERVATIONS: RowWriter["Decision"] = RowWriter(
    Reservation.__table__,
    {name: attrgetter(name) for name in ("order_id", "product_id", "qty", "state", "reason")},
    per_call=("created_at", "updated_at"),
)
SET_STOCK = update(Product).where(Product.id == bindparam("row_id")).values(stock=bindparam("pieces"))
# Rows are locked in order of product: two batches with the same two products would otherwise deadlock.
LOCK_PRODUCTS = (
    select(Product.product_id, Product.id, Product.stock, Product.unit_price)
    .where(Product.product_id.in_(bindparam("ids", expanding=True)))
    .order_by(Product.product_id)
    .with_for_update()
)
SELECT_DECISIONS = select(
    Reservation.order_id, Reservation.product_id, Reservation.qty, Reservation.state, Reservation.reason
).where(Reservation.order_id.in_(bindparam("ids", expanding=True)))


@dataclass
class Decision:
    """The decision about an order, in memory."""

    order_id: str
    product_id: str
    qty: int
    state: str
    reason: str | None = None


@dataclass
class Stock:
    """A locked product's stock, in memory."""

    row_id: int
    pieces: int
    unit_price: int


class Ledger:
    """Decides about orders one after the other, on locked products; `write` stores all decisions at once.

    Every rule is here. The events of an order may come any number of times, in any sequence.
    """

    def __init__(self, session: Session, events: Collection[OrderEvent], *, check_price: bool) -> None:
        self._check_price = check_price
        # Lock first, read second: other transactions that decide about these products have then ended.
        self._products = lock_products(session, {event.product_id for event in events})
        self._decisions = _decided(session, {event.order_id for event in events})
        self._opening = {product_id: stock.pieces for product_id, stock in self._products.items()}
        self._new_decisions: dict[str, Decision] = {}
        self._released: list[str] = []

    def reserve(self, event: OrderEvent) -> Event | None:
        """Reserve the pieces, or reject the order, and return the answer.

        An order that is placed again gets the same answer; one that is void or released gets none.
        """
        decision = self._decisions.get(event.order_id) or self._decide(event)
        _refuse_other_content(event, decision)
        return _answer(event, decision)

    def cancel(self, event: OrderEvent) -> None:
        """Release the pieces, once. An order that was not placed yet becomes void."""
        decision = self._decisions.get(event.order_id)
        if decision is None:
            self._record_decision(event, State.VOID)
            return
        _refuse_other_content(event, decision)
        if decision.state == State.RESERVED:
            self._products[event.product_id].pieces += event.qty
            decision.state = State.RELEASED
            if event.order_id not in self._new_decisions:
                self._released.append(event.order_id)

    def discard(self, event: OrderEvent) -> Event | None:
        """Reject an order whose event is discarded, unless it was decided before."""
        if event.order_id in self._decisions:
            return None
        return _answer(event, self._record_decision(event, State.REJECTED, Reason.DISCARDED))

    def must_be_replayed(self, event: OrderEvent) -> bool:
        """Whether a cancellation has pieces to release, or to keep from being reserved later."""
        decision = self._decisions.get(event.order_id)
        return decision is None or (
            decision.state == State.RESERVED
            and (event.product_id, event.qty) == (decision.product_id, decision.qty)
        )

    def write(self, session: Session, now: datetime) -> None:
        """Store the decisions: one statement for each table, and one for each product that changed."""
        if self._released:
            session.execute(
                update(Reservation)
                .where(Reservation.order_id.in_(sorted(self._released)))
                .values(state=State.RELEASED, updated_at=now)
            )
        changed = [
            {"row_id": stock.row_id, "pieces": stock.pieces}
            for product_id, stock in sorted(self._products.items())
            if stock.pieces != self._opening[product_id]
        ]
        if changed:
            session.connection().execute(SET_STOCK, changed)
        if self._new_decisions:
            at = text_of(now)
            INSERT_RESERVATIONS.write(
                session.connection(), [*self._new_decisions.values()], created_at=at, updated_at=at
            )

    def _decide(self, event: OrderEvent) -> Decision:
        reason = self._refusal(event)
        if reason is not None:
            return self._record_decision(event, State.REJECTED, reason)
        self._products[event.product_id].pieces -= event.qty
        return self._record_decision(event, State.RESERVED)

    def _refusal(self, event: OrderEvent) -> Reason | None:
        if isinstance(event, InvalidOrder):
            return Reason.INVALID_ORDER
        stock = self._products.get(event.product_id)
        if stock is None:
            return Reason.UNKNOWN_PRODUCT
        if self._check_price and event.unit_price not in (None, stock.unit_price):
            return Reason.PRICE_DIFFERS
        return Reason.INSUFFICIENT_STOCK if stock.pieces < event.qty else None

    def _record_decision(self, event: OrderEvent, state: State, reason: Reason | None = None) -> Decision:
        decision = Decision(event.order_id, event.product_id, event.qty, state, reason)
        self._decisions[event.order_id] = self._new_decisions[event.order_id] = decision
        return decision


def lock_products(session: Session, product_ids: Collection[str]) -> dict[str, Stock]:
    rows = session.connection().execute(LOCK_PRODUCTS, {"ids": sorted(product_ids)})
    return {row.product_id: Stock(row.id, row.stock, row.unit_price) for row in rows}


def _decided(session: Session, order_ids: Collection[str]) -> dict[str, Decision]:
    rows = session.connection().execute(SELECT_DECISIONS, {"ids": sorted(order_ids)})
    return {row.order_id: Decision(*row) for row in rows}


def _answer(event: OrderEvent, decision: Decision) -> Event | None:
    if decision.state == State.RESERVED:
        return StockReserved(
            order_id=event.order_id,
            product_id=event.product_id,
            qty=event.qty,
            traceparent=event.traceparent,
        )
    if decision.state == State.REJECTED:
        return StockRejected(
            order_id=event.order_id,
            product_id=event.product_id,
            qty=max(1, event.qty),  # An older status-consumer cannot read the 0 of an `InvalidOrder`.
            reason=decision.reason or "",
            traceparent=event.traceparent,
        )
    return None


def _refuse_other_content(event: OrderEvent, decision: Decision) -> None:
    if (event.product_id, event.qty) != (decision.product_id, decision.qty):
        raise Conflicting(
            f"order {event.order_id} was recorded with {decision.qty} × {decision.product_id},"
            f" but this record has {event.qty} × {event.product_id}"
        )
