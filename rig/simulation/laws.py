"""The laws: what must hold after every commit and every record, while a history is still being made."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from orders_service.events.brokers.port import Record
from orders_service.processes import DatabaseName
from rig.simulation.database import Server
from rig.simulation.tables import Key, Row

# The statuses that may follow a status.
FOLLOWS = {
    "PENDING": {"PENDING", "CONFIRMED", "REJECTED", "CANCELLED"},
    "CONFIRMED": {"CONFIRMED", "CANCELLED"},
    "REJECTED": {"REJECTED"},
    "CANCELLED": {"CANCELLED"},
}
ANSWERS = {"RESERVED": "stock.reserved.v1", "REJECTED": "stock.rejected.v1"}
CONTENT = ("order_id", "user_id", "product_id", "qty", "unit_price", "total_price")


class Broken(BaseException):
    """A law is broken. Not an `Exception`, so that no worker takes it for an error to be retried."""


@contextmanager
def _loud() -> Iterator[None]:
    """Let no worker take an error of this module for one of its own, and try again."""
    try:
        yield
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error


class Laws:
    """Watches the commits of both databases and the records of the log, and keeps what the judge needs."""

    def __init__(self, servers: Mapping[DatabaseName, Server], tell: Callable[[str], None] | None) -> None:
        self._servers = servers
        self._tell = tell  # Is told of every change, for the story.
        self.orders: dict[str, dict[str, Any]] = {}
        self.outbox: dict[tuple[str, int], dict[str, Any]] = {}  # Every row ever committed, purged or not.
        self.refused: set[str] = set()  # The ids of events that the broker has refused.
        self.set_aside: set[str] = set()  # Orders of which the broker has refused an event.
        self._places: dict[int, str] = {}
        self._stored: set[str] = set()  # The ids of all events that are or were in the log.

    def watch(self) -> None:
        """Begin to watch."""
        for name, server in self._servers.items():
            server.committed = partial(self._on_commit, name)

    def recorded(self) -> list[Any]:
        """Every row that an outbox ever had, as it was last, but those that a requeued copy replaced."""
        return [SimpleNamespace(**row) for row in self.outbox.values() if not row.get("replaced")]

    def on_record(self, record: Record) -> None:
        """Judge a record that the broker has stored."""
        with _loud():
            self._on_record(record)

    def _on_record(self, record: Record) -> None:
        headers = dict(record.headers)
        if (id_ := headers.get("ce_id")) is None:
            return
        self._stored.add(id_.decode())
        order_id = (headers["ce_subject"] or b"").decode()
        if self._tell:
            self._tell(f"{record}: {(headers['ce_type'] or b'').decode()} of {order_id}")
        if order_id not in self.orders:
            raise Broken(f"{record} is about {order_id}, which is not in the table")

    def _on_commit(self, database: DatabaseName, writes: Mapping[Key, Row | None]) -> None:
        with _loud():
            self._judge(database, writes)

    def _judge(self, database: DatabaseName, writes: Mapping[Key, Row | None]) -> None:
        tables = self._servers[database].tables
        rows: dict[str, list[tuple[Key, dict[str, Any] | None]]] = defaultdict(list)
        for key, row in writes.items():
            named = None if row is None else dict(zip(tables[key[0]].columns, row, strict=True))
            rows[key[0]].append((key, named))
        for _, changed in (*rows["orders"], *rows["reservations"]) if self._tell else ():
            if changed and self._tell:
                state = changed.get("status") or changed.get("state")
                what = f"{changed['qty']} × {changed['product_id']}"
                self._tell(f"{database}: {changed['order_id']} is {state}: {what}")
        recorded = {(row["type"], row["aggregateid"]) for _, row in rows["outbox"] if row}
        problems = [
            *self._orders(rows["orders"], recorded),
            *self._outbox(database, rows["outbox"]),
            *(_reservations(rows["reservations"], recorded) if rows["reservations"] else ()),
        ]
        if database == "catalog" and (rows["catalog"] or rows["reservations"] or rows["supplies"]):
            problems += self._sums()
        if rows["supplies"]:
            problems += self._repeated_notes()
        if problems:
            raise Broken("; ".join(problems))

    def _orders(
        self, rows: list[tuple[Key, dict[str, Any] | None]], recorded: set[tuple[str, str]]
    ) -> Iterator[str]:
        for (_, number), row in rows:
            if row is None:
                yield f"order {self._places.get(number)} was deleted"
                continue
            id_, before = row["order_id"], self.orders.get(row["order_id"])
            self.orders[id_], self._places[number] = row, id_
            if before is None:
                if ("order.placed.v1", id_) not in recorded:
                    yield f"{id_} was placed without its event"
                continue
            if row["status"] not in FOLLOWS[before["status"]]:
                yield f"{id_} was {before['status']} and is {row['status']}"
            if any(row[name] != before[name] for name in CONTENT):
                yield f"the content of {id_} has changed"
            if (
                row["status"] == "CANCELLED" != before["status"]
                and ("order.cancelled.v1", id_) not in recorded
            ):
                yield f"{id_} was cancelled without its event"

    def _outbox(self, database: str, rows: list[tuple[Key, dict[str, Any] | None]]) -> Iterator[str]:
        replaced = {row["id"] for _, row in rows if row and row["lane"] is not None}
        for (_, number), row in rows:
            before = self.outbox.get((database, number))
            if row is None:
                assert before is not None
                is_sent = before["lane"] is None and before["error"] is None
                if not is_sent and before["id"] not in replaced:
                    yield f"{before['type']} of {before['aggregateid']} was deleted before it was sent"
                before["replaced"] = not is_sent
                continue
            self.outbox[database, number] = row
            if row["error"] is not None:
                self.set_aside.add(row["aggregateid"])
                if row["id"] not in self.refused:
                    yield f"{row['type']} of {row['aggregateid']} was set aside, but it was not refused"
            if row["published_at"] is not None and row["id"] not in self._stored:
                yield f"{row['type']} of {row['aggregateid']} was marked before it was in the log"

    def _sums(self) -> Iterator[str]:
        catalog = self._servers["catalog"]
        found = catalog.rows(
            "SELECT product_id, stock,"
            " (SELECT coalesce(sum(qty), 0) FROM reservations r"
            "  WHERE r.product_id = c.product_id AND state = 'RESERVED'),"
            " (SELECT coalesce(sum(qty), 0) FROM supplies s WHERE s.product_id = c.product_id)"
            " FROM catalog c"
        )
        for product, stock, reserved, supplied in found:
            if stock < 0 or stock + reserved != supplied:
                yield f"{product}: stock {stock} + reserved {reserved} is not {supplied} supplied"

    def _repeated_notes(self) -> Iterator[str]:
        found = self._servers["catalog"].rows(
            "SELECT product_id, note FROM supplies GROUP BY product_id, note HAVING count(*) > 1"
        )
        for product, note in found:
            yield f"{product}: {note} was applied more than once"


def _reservations(
    rows: list[tuple[Key, dict[str, Any] | None]], recorded: set[tuple[str, str]]
) -> Iterator[str]:
    for _, row in rows:
        if row and (answer := ANSWERS.get(row["state"])) and (answer, row["order_id"]) not in recorded:
            yield f"{row['order_id']} is {row['state']}, and no {answer} was recorded with it"
