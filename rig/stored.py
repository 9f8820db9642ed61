"""Reads what the service has stored into a history: its tables, and the facts in its records."""

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.events.brokers.port import Record
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders.order import Order
from rig.promises import Fact, History


def read_tables(history: History, orders: Session, catalog: Session) -> None:
    """Read every row of both databases."""
    history.orders = {row.order_id: row for row in _rows(orders, Order)}
    history.outbox = [*_rows(orders, OutboxRow), *_rows(catalog, OutboxRow)]
    history.dead = [*_rows(orders, DeadLetter), *_rows(catalog, DeadLetter)]
    read_catalog(history, catalog)


def read_catalog(history: History, catalog: Session) -> None:
    """Read products, supplies and reservations."""
    supplied: dict[str, int] = defaultdict(int)
    for supply in _rows(catalog, Supply):
        supplied[supply.product_id] += supply.qty
    history.supplied = supplied
    history.stock = {row.product_id: row.stock for row in _rows(catalog, Product)}
    history.reservations = {row.order_id: row for row in _rows(catalog, Reservation)}


def _rows(session: Session, table: Any) -> list[Any]:
    """Every row. Rows of columns are cheaper than mapped objects, and stay readable after the session."""
    return list(session.execute(select(*table.__table__.columns)))


def fact_of(record: Record) -> Fact | None:
    """The event of a record; None if none of our producers sent it."""
    headers = {name: (value or b"").decode() for name, value in record.headers}
    if "ce_id" not in headers:
        return None
    place = (record.topic, record.partition, record.offset)
    return Fact(
        place, headers["ce_id"], headers["ce_type"], headers["ce_subject"], json.loads(record.value or b"{}")
    )
