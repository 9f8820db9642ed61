"""The orders, stock, log and relay that the practice's faults act on, and the state that they leave."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.orm import Session

from orders_service import runtime
from orders_service.api.committer import Committer
from orders_service.broker_client import broker
from orders_service.catalog import service as catalog
from orders_service.catalog.balance import BALANCES
from orders_service.catalog.errors import ProductNotFound
from orders_service.catalog.product import Product
from orders_service.database.columns import utc_now
from orders_service.database.transactions import in_transaction
from orders_service.events.brokers.port import BrokerError, Outgoing
from orders_service.events.tables import DeadLetter
from orders_service.orders.order import Order
from orders_service.orders.service import Placement, new_order_id
from orders_service.settings import Settings

USER = "practice"
PRODUCT = "PRACTICE-001"
PRODUCT_NAME = "For the screen Practice"
UNIT_PRICE = 100
AT_ONCE = 20  # Threads that place orders at the same time.
SEND_SECONDS = 10
COUNTED = 10_000  # The most orders that are counted.

Counts = Counter[str]


class Workers(Protocol):
    """The workers of `run`, of which one can be stopped and started again."""

    def stop_one(self, command: str) -> None:
        """Stop a worker after its current step."""

    def start_one(self, command: str) -> None:
        """Start a worker that was stopped. Nothing happens if it runs."""

    def start_second(self, command: str) -> None:
        """Start a second worker of a kind, beside the one that runs."""

    def stop_second(self, command: str) -> None:
        """Stop the second worker after its current step."""


@dataclass(frozen=True)
class Placed:
    """Orders that were placed at once, in so many *seconds*. The clock showed *begun* before the first."""

    order_ids: list[str]
    begun: float
    seconds: float


class Scene:
    """Places orders as the API does, changes the stock of one product, and reads both databases."""

    def __init__(
        self, settings: Settings, committer: Committer, workers: Workers, *, orders: Engine, catalog: Engine
    ) -> None:
        self.settings = settings
        self.workers = workers
        self._committer = committer
        self._orders = orders
        self._catalog = catalog

    def stock_consumers(self) -> int:
        """The number of consumers in the stock's group; 1 if the broker does not know it."""
        topics = [self.settings.catalog_topic]
        members = broker(self.settings).describe_group(self.settings.stock_group, topics).members
        return 1 if members is None else members

    def place(self, count: int) -> Placed:
        """Place *count* orders of one piece, AT_ONCE at a time."""
        placements = [
            Placement(
                order_id=new_order_id(USER, None),
                user_id=USER,
                product_id=PRODUCT,
                qty=1,
                unit_price=UNIT_PRICE,
            )
            for _ in range(count)
        ]
        begun = time.monotonic()
        with ThreadPoolExecutor(min(count, AT_ONCE)) as pool:
            placed = list(pool.map(self._committer.place, placements))
        return Placed([each.order.order_id for each in placed], begun, time.monotonic() - begun)

    def statuses(self, order_ids: Collection[str]) -> Counts:
        """How many of these orders have each status."""
        return self._counts(Order.order_id.in_(order_ids))

    def statuses_between(self, row: int, last: int) -> Counts:
        """How many orders after *row* have each status, up to the row *last*: at most COUNTED orders."""
        return self._counts(Order.id.between(row + 1, min(last, row + COUNTED)))

    def last_row(self) -> int:
        """The row of the newest order."""
        with self._orders.connect().execution_options(read_only=True) as connection:
            return int(connection.scalar(select(func.max(Order.id))) or 0)

    def set_stock(self, pieces: int) -> None:
        """Bring the stock of the product to exactly *pieces*, by a supply or a correction."""
        self._change_stock(lambda stock: pieces - stock)

    def stock_up(self, least: int) -> None:
        """Supply pieces of the product until *least* are in stock."""
        self._change_stock(lambda stock: max(0, least - stock))

    def balance(self) -> tuple[int, int, int]:
        """Stock, reserved and supplied pieces of the product."""
        with self._catalog.connect().execution_options(read_only=True) as connection:
            row = connection.execute(BALANCES.where(Product.product_id == PRODUCT)).one()
        return row.stock, int(row.reserved), int(row.supplied)

    def send(self, value: bytes) -> None:
        """Send a record to the topic of orders, into the partition of the product; raises `BrokerError`."""
        producer = broker(self.settings).producer()
        record = Outgoing(
            self.settings.catalog_topic, PRODUCT.encode(), value, (("ce_type", b"order.placed.v1"),)
        )
        try:
            deliveries = producer.send([record])
            if not producer.wait(deliveries, seconds=SEND_SECONDS) or deliveries[0].error:
                raise BrokerError(f"the record was not acknowledged within {SEND_SECONDS} s")
        finally:
            producer.close()

    def dead_letter(self, value: bytes, *, since: datetime) -> tuple[str, str] | None:
        """The place and the reason of the dead letter with this value, if there is one.

        The index finds the letters since then that still wait. Their values are compared by the database.
        """
        query = select(DeadLetter.topic, DeadLetter.partition, DeadLetter.offset, DeadLetter.reason).where(
            DeadLetter.resolution.is_(None),
            DeadLetter.held_at.is_(None),
            DeadLetter.created_at >= since,
            DeadLetter.value == value,
        )
        with self._catalog.connect().execution_options(read_only=True) as connection:
            found = connection.execute(query.limit(1)).one_or_none()
        return found and (f"{found.topic}-{found.partition}@{found.offset}", found.reason)

    def _counts(self, which: ColumnElement[bool]) -> Counts:
        query = select(Order.status, func.count()).where(which).group_by(Order.status)
        with self._orders.connect().execution_options(read_only=True) as connection:
            return Counter({str(row[0]): int(row[1]) for row in connection.execute(query)})

    def _change_stock(self, difference: Callable[[int], int]) -> None:
        """Change the stock by its *difference*, as a function of the stock. The supplies change with it."""
        note = f"practice {runtime.uuid4()}"

        def work(session: Session) -> None:
            try:
                pieces = difference(catalog.product(session, PRODUCT).stock)
            except ProductNotFound:
                catalog.supply(
                    session,
                    PRODUCT,
                    difference(0),
                    note=note,
                    now=utc_now(),
                    name=PRODUCT_NAME,
                    unit_price=UNIT_PRICE,
                )
                return
            if pieces:
                catalog.correct(session, PRODUCT, pieces, note=note, now=utc_now())

        with Session(self._catalog) as session:
            in_transaction(session, work)
