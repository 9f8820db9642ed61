"""The others: producers that are not ours, and administrators who change the log under us."""

import json
import random
from collections.abc import Callable, Sequence

from orders_service.events.brokers.port import Outgoing, Record
from rig.simulation.world import World

POISON = (b"{", b"not JSON", b"[]", b'{"orderId": 5}', '{"orderId": "주문"}'.encode())


class Others:
    """Other producers and administrators change the topics. The judge reads here what they did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.poison: set[bytes] = set()  # These values may become dead letters.
        self.dropped: set[bytes] = set()  # The poison that nobody may have read, for the log has dropped it.
        self.events_are_gone = False  # Whether the log deleted records that a group had not read.
        self.recreated = False  # Whether a topic was created again, with offsets from 0.
        self.busy = 0
        self._number = 0
        self.events: dict[str, Callable[[random.Random], None]] = {
            "poison": self._send_poison,
            "contradiction": self._contradict,
            "redelivery": self._send_again,
            "foreign-transaction": self._open_transaction,
            "dropped-log": self._drop_log,
            "recreated-topic": self._recreate_topic,
        }

    @property
    def topics(self) -> tuple[str, str]:
        return self._world.topics.catalog, self._world.topics.stock

    def _send(self, what: str, records: Sequence[Outgoing]) -> None:
        """Send until every record is acknowledged, as a good producer does."""
        world = self._world
        world.note("somebody else", what)
        self.busy += 1

        def run() -> None:
            producer, rest = world.broker.producer(), list(records)
            while rest:
                sent = producer.send(rest)
                producer.wait(sent, seconds=60)
                rest = [
                    record for record, delivery in zip(rest, sent, strict=True) if not delivery.acknowledged
                ]
            self.busy -= 1

        world.scheduler.spawn("somebody else", run)

    def _send_poison(self, chance: random.Random) -> None:
        count = 25 if chance.random() < 0.1 else chance.randint(1, 3)
        topic, records = chance.choice(self.topics), []
        for _ in range(count):
            self._number += 1
            value = chance.choice(POISON) + b" " * self._number
            type_ = b"order.placed.v1" if topic == self.topics[0] else b"stock.reserved.v1"
            records.append(Outgoing(topic, b"poison", value, (("ce_type", type_),)))
        self.poison.update(record.value or b"" for record in records)
        self._send(f"poison: {count} records to {topic}", records)

    def _contradict(self, chance: random.Random) -> None:
        """Send an order again with another quantity, after the catalog has decided about it."""
        decided = self._world.servers["catalog"].rows("SELECT order_id, product_id, qty FROM reservations")
        if not decided:
            return
        order_id, product, qty = chance.choice(decided)
        self._number += 1
        data = {
            "orderId": order_id,
            "productId": product,
            "qty": qty + 1,
            "unitPrice": 0,
            "note": self._number,
        }
        value = json.dumps(data).encode()
        self.poison.add(value)
        record = Outgoing(self.topics[0], product.encode(), value, (("ce_type", b"order.placed.v1"),))
        self._send(f"contradiction: another quantity of {order_id}", [record])

    def _send_again(self, chance: random.Random) -> None:
        """Send some records of the log again, as a tool that copies topics does."""
        known = [record for record in self._world.broker.archive if record.topic in self.topics]
        if known:
            first = chance.randrange(len(known))
            some = known[first : first + chance.randint(1, 5)]
            copies = [Outgoing(r.topic, r.key, r.value, r.headers) for r in some]
            self._send(f"redelivery: {len(copies)} records again, from {some[0]} on", copies)

    def _open_transaction(self, chance: random.Random) -> None:
        """Begin a transaction with poison. It is aborted: nobody may ever see its records."""
        world, topic = self._world, chance.choice(self.topics)
        partition, seconds = self._partition(chance, topic), chance.choice([0.01, 1.0, 20.0])
        self._number += 1
        record = Outgoing(topic, b"x", b"aborted %d" % self._number, (("ce_type", b"order.placed.v1"),))
        world.note("somebody else", f"transaction: open for {seconds} s in {topic}-{partition}")
        transaction = world.broker.open_transaction(topic, partition, [record])

        def abort() -> None:
            world.scheduler.sleep(seconds)
            transaction.abort()

        world.scheduler.spawn("somebody else", abort)

    def _drop_log(self, chance: random.Random) -> None:
        """Delete the oldest records of a partition, mostly where a group has not read many."""
        world = self._world
        if world.broker.down:
            return
        logs = world.broker.logs_of(self.topics)
        unread = [log.end - self._read_by_group(*log.place) for log in logs]
        log = logs[unread.index(max(unread))] if chance.random() < 0.5 else chance.choice(logs)
        (topic, partition), read = log.place, self._read_by_group(*log.place)
        before = min(log.begins + chance.randint(1, 20), log.end if self._may_lose(topic) else read)
        if before > log.begins:
            gone = [record for record in log.records if read <= record.offset < before]
            self._forget(gone)
            world.note(
                "administrator", f"log dropped: {topic}-{partition} before {before}, {len(gone)} unread"
            )
            world.broker.drop_beginning(topic, partition, before)

    def _recreate_topic(self, chance: random.Random) -> None:
        world, topic = self._world, chance.choice(self.topics)
        if not self._may_lose(topic):
            return
        for partition in range(world.broker.specs[topic].partitions):
            log = world.broker.log((topic, partition))
            read = self._read_by_group(topic, partition)
            self._forget([record for record in log.records if record.offset >= read])
        self.events_are_gone = self.recreated = True
        world.note("administrator", f"topic created again: {topic}")
        world.broker.recreate_topic(topic)

    def _may_lose(self, topic: str) -> bool:
        """Whether unread events can be sent again: not those of orders that a purge has deleted."""
        return topic == self._world.topics.stock or not self._world.has("purge")

    def _forget(self, gone: Sequence[Record]) -> None:
        """Nobody will read these records any more."""
        self.events_are_gone = self.events_are_gone or bool(gone)
        self.dropped.update(record.value or b"" for record in gone)

    def _partition(self, chance: random.Random, topic: str) -> int:
        return chance.randrange(self._world.broker.specs[topic].partitions)

    def _read_by_group(self, topic: str, partition: int) -> int:
        """The offset up to which the topic's group has acknowledged."""
        settings = self._world.settings
        group = settings.stock_group if topic == self.topics[0] else settings.status_group
        position, topic_id = self._world.broker.group(group).offsets.get((topic, partition), (0, 0))
        return position if topic_id == self._world.broker.log((topic, partition)).topic_id else 0
