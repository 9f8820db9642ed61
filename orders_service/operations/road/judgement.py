"""The judgement: the five stations, from the readings and from what changed between them."""

from dataclasses import dataclass, field, replace

from orders_service import resources
from orders_service.operations.road import consumers, relays
from orders_service.operations.road.history import Progress, Rate
from orders_service.operations.road.readings import CATALOG_DOWN, ORDERS_DOWN, Readings, broker_name
from orders_service.operations.road.station import STOPPED, UNKNOWN, Station, Trouble, counted, ranges
from orders_service.port import base_url
from orders_service.processes import CONSUMERS, relay_of
from orders_service.settings import Settings

STOCK, STATUS = "stock-consumer", "status-consumer"
ORDERS_RELAY, CATALOG_RELAY = relay_of("orders").command, relay_of("catalog").command
DOCTOR = "orders-service doctor"
CDC_SECONDS = 10.0  # Debezium sends an event within a second; it reconnects within ten.


@dataclass
class Judge:
    """Judges one reading after the other, and remembers what it needs for the next."""

    settings: Settings
    _posted: Rate = field(default_factory=Rate)
    _recorded: Rate = field(default_factory=Rate)
    _logged: Rate = field(default_factory=Rate)
    _progress: dict[str, Progress] = field(
        default_factory=lambda: {each.command: Progress() for each in CONSUMERS}
    )
    _by_debezium: "Debezium" = field(default_factory=lambda: Debezium())

    def stations(self, readings: Readings, at: float) -> list[Station]:
        """The stations in the order in which an order passes them. *at* is monotonic."""
        log = readings.log
        for command, progress in self._progress.items():
            progress.note(at, log.groups[command] if log else None)
        return [
            self._post(readings, at),
            self._orders(readings, at),
            self._kafka(readings, at),
            self._catalog(readings),
            self._answer(readings),
        ]

    def _post(self, readings: Readings, at: float) -> Station:
        orders = readings.orders
        station = Station(
            name="post",
            title="Post",
            about="an order comes in over HTTP and is accepted",
            per_second=self._posted.note(at, orders.newest_id if orders else None),
            held_by=base_url(self.settings.api_host, self.settings.api_port).removeprefix("http://"),
        )
        if orders:
            return station
        return replace(
            station,
            state=UNKNOWN,
            problem=ORDERS_DOWN,
            trouble=Trouble(
                title="The orders database does not answer",
                detail="New orders are answered 503, and their clients may repeat them. Nothing is lost.",
                command=DOCTOR,
            ),
        )

    def _orders(self, readings: Readings, at: float) -> Station:
        orders = readings.orders
        recorded = self._recorded.note(at, orders.events.newest_seq if orders else None)
        by_debezium = resources.is_sent_by_debezium(self.settings, "orders")
        sender = "Debezium" if by_debezium else "the relay"
        station = Station(
            name="orders",
            title="Orders",
            about=f"orders + outbox, one transaction; {sender} sends",
            per_second=recorded,
        )
        if orders is None:
            return replace(station, state=UNKNOWN, problem=ORDERS_DOWN)
        station = replace(station, last_error=orders.events.set_aside)
        if by_debezium:
            return self._by_debezium.judged(station, readings, self.settings.catalog_topic, at)
        # While the broker does not answer, a relay pauses and holds no lease.
        trouble = relays.stopped_relay(ORDERS_RELAY, orders.events) if readings.log else None
        name, detail = relays.holder(orders.events)
        return replace(
            station,
            state=STOPPED if trouble else station.state,
            waiting=(orders.events.pending, "events"),
            oldest_seconds=orders.events.oldest_seconds,
            held_by=name,
            held_detail=detail,
            trouble=trouble,
        )

    def _kafka(self, readings: Readings, at: float) -> Station:
        topic, name = self.settings.catalog_topic, broker_name(self.settings)
        log = readings.log
        station = Station(
            name="kafka",
            title="Kafka" if self.settings.broker == "kafka" else "Log",
            about=topic,
            per_second=self._logged.note(at, log.end(topic) if log else None),
        )
        if log is None:
            trouble = Trouble(
                title=f"{name} does not answer",
                detail=f"{readings.log_problem} Orders are still taken and stay PENDING; nothing is lost."
                f" The relay sends their events when {name} is back.",
                command=DOCTOR,
            )
            return replace(station, state=UNKNOWN, problem=f"{name} does not answer.", trouble=trouble)
        partitions = log.of_topic(topic)
        leaders = sorted({state.leader for state in partitions.values() if state.leader is not None})
        behind = sum(state.in_sync < state.replication for state in partitions.values())
        one = f"broker {leaders[0]}" if leaders else None
        return replace(
            station,
            about=f"{topic}, {counted(len(partitions), 'partition')}",
            waiting=(behind, "out of sync") if leaders else None,
            held_by=f"{len(leaders)} brokers" if len(leaders) > 1 else one,
            held_detail=f"leads {ranges(list(partitions))}" if len(leaders) == 1 else None,
        )

    def _catalog(self, readings: Readings) -> Station:
        progress = self._progress[STOCK]
        station = Station(
            name="catalog",
            title="Catalog",
            about="stock is reserved, or the order rejected",
            per_second=progress.per_second,
            last_error=readings.catalog.letters.last if readings.catalog else None,
        )
        station = self._consumed(station, readings, STOCK)
        if readings.catalog is None:
            trouble = Trouble(
                title="The catalog database does not answer",
                detail="Orders are still taken and stay PENDING; nothing is lost. They are answered when the"
                " database is back.",
                command=DOCTOR,
            )
            return replace(station, state=UNKNOWN, problem=CATALOG_DOWN, trouble=trouble)
        return station

    def _answer(self, readings: Readings) -> Station:
        orders, catalog = readings.orders, readings.catalog
        station = Station(
            name="answer",
            title="Answer",
            about=f"{self.settings.stock_topic} to orders.status",
            per_second=self._progress[STATUS].per_second,
            last_error=orders.events.letters.last if orders else None,
        )
        station = self._consumed(station, readings, STATUS)
        if catalog and readings.log and (trouble := relays.stopped_relay(CATALOG_RELAY, catalog)):
            return replace(
                station,
                state=STOPPED,
                waiting=(catalog.pending, "events"),
                oldest_seconds=catalog.oldest_seconds,
                held_by="nobody",
                held_detail=None,
                trouble=trouble,
            )
        return station

    def _consumed(self, station: Station, readings: Readings, command: str) -> Station:
        """The station with what its consumer does."""
        if readings.log is None:
            return replace(station, state=UNKNOWN, problem=f"{broker_name(self.settings)} does not answer.")
        group, progress = readings.log.groups[command], self._progress[command]
        waited = readings.orders.newest_pending_seconds if readings.orders else None
        stopped = consumers.is_stopped(group, progress, waited)
        name, detail = consumers.holder(group, is_stopped=stopped)
        station = replace(
            station,
            state=STOPPED if stopped else station.state,
            waiting=(group.lag, "records"),
            oldest_seconds=progress.oldest_seconds,
            held_by=name,
            held_detail=detail,
        )
        if not stopped:
            return station
        pending = readings.orders.pending if readings.orders else 0
        title = (
            consumers.waiting_orders(group, pending) if command == STOCK else consumers.waiting_answers(group)
        )
        return replace(station, trouble=consumers.stopped_consumer(command, title, group, progress))


class Debezium:
    """Judges Debezium, which marks no row: events are recorded, and the topic does not grow."""

    def __init__(self) -> None:
        self._recorded = self._logged = -1
        self._still_since: float | None = None

    def judged(self, station: Station, readings: Readings, topic: str, at: float) -> Station:
        """The station of the orders, whose outbox Debezium sends."""
        assert readings.orders
        station = replace(station, held_by="Debezium")
        if readings.log is None:
            return station
        recorded, logged = readings.orders.events.newest_seq, readings.log.end(topic)
        if logged != self._logged:
            self._still_since = None
        elif recorded > self._recorded and self._still_since is None:
            self._still_since = at
        self._recorded, self._logged = recorded, logged
        still = at - self._still_since if self._still_since is not None else 0.0
        if still <= CDC_SECONDS:
            return station
        trouble = Trouble(
            title="Events wait for Debezium",
            detail=f"Events were recorded {still:.0f} s ago, and {topic} has not grown since. Orders are"
            " still taken and stay PENDING; nothing is lost.",
            command="orders-service connectors status",
        )
        return replace(station, state=STOPPED, oldest_seconds=still, trouble=trouble)
