"""The checks of a database: connection, clock, durability, migrations, rights, and its data."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from sqlalchemy import Engine, MetaData, Table, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from orders_service import migrations, resources
from orders_service.catalog.balance import imbalances
from orders_service.catalog.product import CatalogBase
from orders_service.commands.doctor import cluster, limits, rights
from orders_service.commands.doctor.finding import Check, Finding, away, fine, warning, wrong
from orders_service.database.columns import Clock, database_now, utc_now
from orders_service.database.engines import open_engine
from orders_service.database.hosts import place_of
from orders_service.database_url import DatabaseUrl, parse
from orders_service.events import dead_letters, leases, pending, set_aside
from orders_service.events.tables import EventsBase
from orders_service.operations.road.relays import PENDING_SECONDS
from orders_service.orders import service as orders
from orders_service.orders.order import OrdersBase
from orders_service.processes import DatabaseName, relay_of
from orders_service.settings import Settings

QUERY_SECONDS = 8  # MariaDB itself ends a longer query, so that a check never loads the server for long.
NO_RELAY = "no relay sends the events of this topic"
WAIT_SECONDS = 60  # Longer than a lease, a back-off or a rebalance: an event that waits longer is stuck.
SKEW_SECONDS = 1.0
LATELY = 100_000  # Only this many of the newest outbox rows are read: no index finds rows set aside.
SHOWN = 3
TABLES = {"orders": OrdersBase.metadata, "catalog": CatalogBase.metadata}
SAFE = {"innodb_flush_log_at_trx_commit": "1"}
SAFE_BINLOG = {"sync_binlog": "1"}
CDC_BINLOG = {"log_bin": "1", "binlog_format": "ROW", "binlog_row_image": "FULL", "log_bin_compress": "0"}


@dataclass
class DatabaseChecks:
    """A database that is checked."""

    name: DatabaseName
    settings: Settings
    clock: Clock = utc_now

    @property
    def checks(self) -> list[Check]:
        """The checks in order: a check comes after those that it depends on."""
        name = self.name
        own = {
            "orders": [Check("oldest PENDING order", self.answers)],
            "catalog": [Check("stock + Σ reserved = Σ supplied", self.ledger)],
        }
        return [
            Check(f"{name} database", self.reached, gate=True),
            Check(f"{name} clock", self.time),
            *([] if self._is_sqlite else [Check(f"{name} durability", self.durability)]),
            *([] if self._is_sqlite else [Check(f"{name} packet", partial(limits.packet, self._session))]),
            Check(f"{name} migrations", self.version, gate=True),
            Check(f"{name} rights", self.rights),
            Check(f"{name} outbox", self.outbox),
            Check(f"{name} set aside", self.set_aside),
            Check(f"{name} dead letters", self.letters),
            *own[name],
        ]

    def reached(self) -> Finding:
        setting = f"{self.name.upper()}_DATABASE_URL"
        if self._is_sqlite and not Path(self._url.first.database or "").exists():
            return away(f"{self._url.first.database} does not exist", "orders-service migrate")
        try:
            with self._session() as session:
                version = session.scalar(
                    text("SELECT sqlite_version()" if self._is_sqlite else "SELECT version()")
                )
                place = place_of(session)
                of_cluster = None if self._is_sqlite else cluster.check(session)
        except DBAPIError as error:
            return away(
                f"{self._url!r}: {error.orig}", f"check that the database runs and that {setting} is correct"
            )
        seen = f"{self._url!r}, {'SQLite' if self._is_sqlite else 'MariaDB'} {version}"
        if place and place.is_spare:
            return wrong(
                f"{seen}: no host can be written to; connected to {place.host}",
                "make one host writable: SET GLOBAL read_only=0 on the primary server",
            )
        return cluster.joined(f"{seen}, connected to {place.host}" if place else seen, of_cluster)

    def time(self) -> Finding:
        with self._session() as session:
            before = self.clock()
            theirs = session.scalar(select(database_now()))
            ours = before + (self.clock() - before) / 2
        assert theirs is not None
        skew = (theirs - ours).total_seconds()
        if abs(skew) > SKEW_SECONDS:
            seen = f"the database's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
            return warning(seen, "synchronize both clocks with NTP: events and logs have this machine's time")
        return fine(f"within {SKEW_SECONDS:.0f} s of this machine's clock")

    def durability(self) -> Finding:
        """Whether a commit survives a power failure, and the binlog is as Debezium needs it (cdc only)."""
        cdc = self._is_sent_by_debezium
        names = SAFE | SAFE_BINLOG | CDC_BINLOG
        with self._session() as session:
            row = session.execute(text("SELECT " + ", ".join(f"@@GLOBAL.{name}" for name in names))).one()
        found = dict(zip(names, map(str, row), strict=True))
        wanted = SAFE | (SAFE_BINLOG if found["log_bin"] == "1" else {}) | (CDC_BINLOG if cdc else {})
        if bad := {name: value for name, value in wanted.items() if found[name] != value}:
            seen = ", ".join(f"{name}={found[name]}" for name in bad)
            do = ", ".join(f"{name}={value}" for name, value in bad.items())
            return wrong(seen, f"set {do} in MariaDB's configuration, then restart MariaDB")
        return fine(", ".join(f"{name}={value}" for name, value in wanted.items()))

    def version(self) -> Finding:
        newest = migrations.newest(self.name)
        with self._session() as session:
            found = migrations.current(session.connection())
        if found is None:
            return wrong("never migrated", "orders-service migrate")
        if found == newest:
            return fine(f"at {found}")
        if migrations.knows(self.name, found):
            return wrong(f"at {found}, but {newest} is required", "orders-service migrate")
        return warning(
            f"at {found}, which this version of the service does not know",
            "finish the rollout of the newer version",
        )

    def rights(self) -> Finding:
        """Whether the user may read and write every table."""
        return rights.check(partial(self._session, read_only=False), self._tables, self._url.first)

    def outbox(self) -> Finding:
        """Whether pending events are sent, and if not, which relay holds the lane."""
        with self._session() as session:
            ages = {
                lane: (self.clock() - since).total_seconds()
                for lane, since in pending.oldest_by_lane(session)
            }
            if not ages:
                return fine("no pending events")
            lane, age = max(ages.items(), key=lambda item: item[1])
            owner = leases.holder(session, lane)
        seen = f"the oldest pending event of {lane} is {age:.0f} s old"
        relay = relay_of(self.name).command
        if age <= WAIT_SECONDS:
            if owner is None and age > PENDING_SECONDS and not self._is_sent_by_debezium:
                return warning(f"{seen}, and {NO_RELAY}", f"if it lasts, start orders-service {relay}")
            return fine(seen)
        if self._is_sent_by_debezium:
            return wrong(
                f"{seen}, and with EVENTS_VIA=cdc no relay sends it",
                f"start {relay} once with EVENTS_VIA=relay",
            )
        if owner is None:
            return wrong(f"{seen}, and {NO_RELAY}", f"start orders-service {relay}")
        return wrong(f"{seen}; only {owner} may send it", f"check the log of this {relay}")

    def set_aside(self) -> Finding:
        with self._session() as session:
            count = set_aside.count(session, LATELY)
        if count:
            return wrong(
                f"the broker permanently refused {count} of the newest {LATELY} events",
                f"orders-service outbox list, then outbox requeue --database {self.name} --set-aside",
            )
        return fine(f"none of the newest {LATELY} events")

    def letters(self) -> Finding:
        with self._session() as session:
            count, on_hold = dead_letters.count(session), dead_letters.count_on_hold(session)
        held = f", {on_hold} on hold" if on_hold else ""
        if count:
            do = "orders-service dead-letters list, then replay, discard or hold them"
            return wrong(f"{count} unresolved{held}", do)
        return fine(f"none unresolved{held}")

    def answers(self) -> Finding:
        with self._session() as session:
            order = orders.oldest_pending(session)
        if order is None:
            return fine("no order is PENDING")
        age = (self.clock() - order.created_at).total_seconds()
        seen = f"{order.order_id} has been PENDING for {age:.0f} s"
        if age <= WAIT_SECONDS:
            return fine(seen)
        return wrong(
            seen,
            "when all other checks pass, run:"
            f" orders-service outbox resend --pending-older-than {WAIT_SECONDS} (not if the course's own"
            " catalog reads these orders: it would take their stock again)",
        )

    def ledger(self) -> Finding:
        with self._session() as session:
            rows = imbalances(session, SHOWN + 1)
        if not rows:
            return fine("for every product")
        told = [f"{row.product_id}: {row.stock} + {row.reserved} ≠ {row.supplied}" for row in rows[:SHOWN]]
        more = ", …" if len(rows) > SHOWN else ""
        return wrong(
            ", ".join(told) + more,
            "each delivery needs a row in the table supplies: add the missing rows, or set the column stock"
            " right (catalog correct changes both, so it cannot repair this)",
        )

    def close(self) -> None:
        """Close the database connections, if any were opened."""
        if "_engine" in vars(self):
            self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(resources.url(self.settings, self.name), pool_size=2)

    @cached_property
    def _url(self) -> DatabaseUrl:
        return parse(resources.url(self.settings, self.name))

    @property
    def _is_sent_by_debezium(self) -> bool:
        return resources.is_sent_by_debezium(self.settings, self.name)

    @property
    def _is_sqlite(self) -> bool:
        return self._url.is_sqlite

    @property
    def _tables(self) -> list[Table]:
        known: list[MetaData] = [TABLES[self.name], EventsBase.metadata]
        return [table for metadata in known for table in metadata.sorted_tables]

    @contextmanager
    def _session(self, *, read_only: bool = True) -> Iterator[Session]:
        """A session that is rolled back at the end. With *read_only* it waits for no writer of SQLite."""
        with (
            self._engine.connect().execution_options(read_only=read_only) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            if not self._is_sqlite:
                session.execute(text(f"SET SESSION max_statement_time = {QUERY_SECONDS}"))
            yield session
