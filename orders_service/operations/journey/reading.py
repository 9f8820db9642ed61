"""Reads all that is known about one order: two databases, then the log."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.exc import SQLAlchemyError

from orders_service import resources
from orders_service.catalog.product import State
from orders_service.contract.events import OrderCancelled, OrderPlaced, StockRejected, StockReserved
from orders_service.database.columns import Clock, utc_now
from orders_service.events.brokers.port import Broker, BrokerError, GroupDescription
from orders_service.operations.journey import stored
from orders_service.operations.journey.known import Known, Place
from orders_service.operations.journey.log import SLACK, TAKEN, InLog, Sought, search
from orders_service.operations.journey.searches import Searches, SearchesTaken
from orders_service.operations.journey.stored import OfCatalog, Rows
from orders_service.orders.errors import OrderNotFound
from orders_service.orders.order import Status
from orders_service.processes import DEBEZIUM_DATABASE
from orders_service.settings import Settings


@dataclass(frozen=True)
class Sources:
    """The sources of a journey."""

    settings: Settings
    orders: Engine
    catalog: Engine | None  # None if there is no such database.
    open_broker: Callable[[], Broker]


@dataclass(frozen=True)
class Found:
    """The records of an order in the log, and the consumer groups that it waits for."""

    order: InLog = field(default_factory=InLog)
    answer: InLog = field(default_factory=InLog)
    groups: dict[str, GroupDescription] = field(default_factory=dict)

    def copy(self) -> "Found":
        """Its present state, into which a search that was left does not write."""
        return Found(self.order.copy(), self.answer.copy(), dict(self.groups))


def read(sources: Sources, order_id: str, *, searches: Searches[Found], clock: Clock = utc_now) -> Known:
    """Read what is known about an order; raises `OrderNotFound`.

    If the catalog's database or the broker does not answer, or too many others search, its part is missing.
    """
    order_ids = stored.event_ids(order_id, OrderPlaced, OrderCancelled)
    answer_ids = stored.event_ids(order_id, StockReserved, StockRejected)
    with sources.orders.connect().execution_options(read_only=True) as connection:
        order = stored.order_of(connection, order_id)
        if order is None:
            raise OrderNotFound(order_id)
        events = stored.events_of(connection, order_ids)
    catalog = _of_catalog(sources.catalog, order_id, answer_ids)
    here = _place(sources.settings)
    in_orders = Sought(here.catalog_topic, order.product_id, order_ids, order_id, _times(order, events))
    times = _answer_times(order, catalog)
    in_answers = Sought(here.stock_topic, order_id, answer_ids, order_id, times)

    def look(found: Found) -> None:
        search(sources.open_broker, [(in_orders, found.order), (in_answers, found.answer)])
        if order.status == Status.PENDING or _is_reserved(order, catalog):
            _describe(sources.open_broker, here, found.groups)

    try:
        found = searches.run(order_id, Found(), look).copy()
    except SearchesTaken:
        found = Found(InLog(problem=TAKEN), InLog(problem=TAKEN))
    since = order.created_at - SLACK
    return Known(
        now=clock(),
        here=here,
        order=order,
        events=events,
        catalog=catalog,
        order_records=found.order,
        answer_records=found.answer,
        letters=_letters(sources.catalog, here.catalog_topic, order_id, found.order, since),
        answer_letters=_letters(sources.orders, here.stock_topic, order_id, found.answer, since),
        groups=found.groups,
    )


def _place(settings: Settings) -> Place:
    return Place(
        log="Kafka" if settings.broker == "kafka" else "embedded log",
        catalog_topic=settings.catalog_topic,
        stock_topic=settings.stock_topic,
        stock_group=settings.stock_group,
        status_group=settings.status_group,
        by_debezium=resources.is_sent_by_debezium(settings, DEBEZIUM_DATABASE),
        keep_days=settings.outbox_keep_days,
        retention_days=settings.topic_retention_days,
    )


def _of_catalog(engine: Engine | None, order_id: str, ids: dict[str, str]) -> OfCatalog | None:
    if engine is None:
        return None
    with suppress(SQLAlchemyError), engine.connect().execution_options(read_only=True) as connection:
        return stored.of_catalog(connection, order_id, ids)
    return None


def _times(order: Row[Any], events: Rows) -> Sequence[datetime]:
    """The times at which the order's events were recorded."""
    times = {order.created_at, *(row.created_at for row in events)}
    if order.status == Status.CANCELLED:
        times.add(order.updated_at)
    return sorted(times)


def _answer_times(order: Row[Any], catalog: OfCatalog | None) -> Sequence[datetime]:
    times = {row.created_at for row in catalog.answers} if catalog else set()
    if catalog and catalog.reservation:
        times.add(catalog.reservation.created_at)
    return sorted(times) or [order.created_at]


def _is_reserved(order: Row[Any], catalog: OfCatalog | None) -> bool:
    """Whether pieces of a cancelled order are not released yet."""
    reservation = catalog.reservation if catalog else None
    is_open = reservation is None or reservation.state == State.RESERVED
    return bool(order.status == Status.CANCELLED and is_open)


def _describe(open_broker: Callable[[], Broker], here: Place, groups: dict[str, GroupDescription]) -> None:
    with suppress(BrokerError):
        broker = open_broker()
        for group, topic in (here.stock_group, here.catalog_topic), (here.status_group, here.stock_topic):
            groups[group] = broker.describe_group(group, [topic])


def _letters(engine: Engine | None, topic: str, order_id: str, log: InLog, since: datetime) -> Rows:
    """The dead letters of the order's records in *topic*.

    If the log does not tell where its records are, the open letters since its time that name the order.
    """
    if engine is None:
        return []
    records = [record for _, record in log.records]
    with suppress(SQLAlchemyError), engine.connect().execution_options(read_only=True) as connection:
        if records and log.problem is None:
            return stored.letters_at(connection, records)
        return stored.letters_naming(connection, topic, order_id, since)
    return []
