"""The Kafka producer: sends records, and reports the delivery of each."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import kafka
from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from orders_service.events.brokers.kafka import quirks
from orders_service.events.brokers.kafka.client import (
    CLOSE_SECONDS,
    DELIVERY_SECONDS,
    GIVE_UP_SECONDS,
    METADATA_SECONDS,
    REQUEST_SECONDS,
    Servers,
    connect,
    end,
    ms,
)
from orders_service.events.brokers.port import BrokerError, Delivery, Outgoing, RecordRefused, TopicMissing

BATCH_BYTES = 65_536
ALONE_SECONDS = 5.0  # The limit of a `send` that sends one by one. The rest of its records fail for now.
# The errors that blame the record. Any other is infrastructure: time-outs, permissions, replicas, topics.
RECORD_ERRORS = (InvalidRecordError, MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass
class Sent(Delivery):
    """A delivery in flight. *future* has its outcome; it fails if none came by the monotonic time *until*."""

    topic: str = ""
    future: Any = None
    until: float = 0.0
    alone: bool = False


class Probe:
    """Looks for a topic's partitions, with a thread and a client of its own, so that nothing waits for it."""

    def __init__(self, producer: "KafkaProducer", topic: str) -> None:
        self.error: BrokerError | None = None
        self._thread = threading.Thread(target=self._ask, args=(producer, topic), name="probe", daemon=True)
        self._thread.start()

    def over(self, seconds: float) -> bool:
        """Wait for the answer, for *seconds* at most. True if it has come."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _ask(self, producer: "KafkaProducer", topic: str) -> None:
        try:
            producer.know(topic)
        except BrokerError as error:
            self.error = error
        finally:
            producer.close()


@dataclass
class Asked(Sent):
    """A delivery that waits for a *probe*, because its topic was missing the last time."""

    record: Outgoing | None = None
    probe: Probe | None = None


class KafkaProducer:
    """An idempotent producer. It replaces its client after any failure of a record that the client had taken.

    Such a failure can make the client unusable: it then fails all other records with the first one's error.
    """

    def __init__(self, servers: Servers, max_request_bytes: int) -> None:
        self._servers = servers
        self._max_request_bytes = max_request_bytes
        self._client: Any = None
        self._suspect: set[str] = set()
        self._missing: set[str] = set()

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        topics = {record.topic for record in records}
        if not self._missing.isdisjoint(topics):
            # A missing topic delays the others only the first time, for a second. From then on it is probed.
            probe = Probe(KafkaProducer(self._servers, self._max_request_bytes), records[0].topic)
            return [Asked(topic=record.topic, record=record, probe=probe) for record in records]
        if self._suspect.isdisjoint(topics):
            return self._hand_over(records)
        # The broker refused a record, and the client failed all that were in flight. So send one by one, to
        # find the one to blame.
        deliveries: list[Delivery] = []
        enough = time.monotonic() + ALONE_SECONDS
        for record in records:
            deliveries += self._hand_over([record], alone=True)
            self.wait(deliveries[-1:], seconds=GIVE_UP_SECONDS)
            error = None if deliveries[-1].permanent else deliveries[-1].error
            if error is None and time.monotonic() > enough:
                error = BrokerError("not sent yet: the records of this topic are sent one by one")
            if error:
                return deliveries + [Delivery(error=error) for _ in records[len(deliveries) :]]
        self._suspect -= topics
        return deliveries

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        if not self._answer([d for d in deliveries if isinstance(d, Asked) and d.probe], deadline):
            return False
        for delivery in deliveries:
            if isinstance(delivery, Sent) and delivery.open:
                self._settle(delivery, deadline)
        if any(delivery.open for delivery in deliveries):
            return False
        if any(isinstance(one, Sent) and one.future and one.error for one in deliveries):
            self.close()
        return True

    def close(self) -> None:
        client, self._client = self._client, None
        if client:
            end(lambda: _close_producer(client))

    def know(self, topic: str) -> None:
        """Fetch the partitions of *topic*; raises `TopicMissing` or another `BrokerError`."""
        self._knowing(topic)

    def _answer(self, asked: Sequence[Asked], deadline: float) -> bool:
        """Send the records that wait for a probe, or fail them. False if the probe has no answer yet."""
        for probe in {delivery.probe for delivery in asked if delivery.probe}:
            if not probe.over(deadline - time.monotonic()):
                return False
        if not asked:
            return True
        errors = [delivery.probe.error for delivery in asked if delivery.probe]
        if error := next(filter(None, errors), None):
            outcomes: Sequence[Delivery] = [Delivery(error=error) for _ in asked]
        else:
            self._missing -= {delivery.topic for delivery in asked}
            outcomes = self.send([delivery.record for delivery in asked if delivery.record])
        for delivery, outcome in zip(asked, outcomes, strict=True):
            vars(delivery).update(vars(outcome), probe=None)
        return True

    def _hand_over(self, records: Sequence[Outgoing], *, alone: bool = False) -> list[Delivery]:
        deliveries: list[Delivery] = []
        try:
            client = self._knowing(records[0].topic) if records else None
            for record in records:
                deliveries.append(_send(client, record, alone=alone))
        except BrokerError as error:
            self.close()  # The client's sender thread may have ended: such a client never sends again.
            deliveries += [Delivery(error=error) for _ in records[len(deliveries) :]]
        return deliveries

    def _knowing(self, topic: str) -> Any:
        """The client, after it has learnt the partitions of *topic*. Raises `BrokerError`."""
        if self._client is None:
            self._client = connect(
                kafka.KafkaProducer,
                self._servers,
                acks="all",
                enable_idempotence=True,
                batch_size=BATCH_BYTES,
                max_request_size=self._max_request_bytes,
                max_block_ms=ms(METADATA_SECONDS),
                request_timeout_ms=ms(REQUEST_SECONDS),
                delivery_timeout_ms=ms(DELIVERY_SECONDS),
            )
        try:
            self._client.partitions_for(topic)
        except (KafkaError, ValueError) as error:
            silence = self._client.metrics()["producer-metrics"]["metadata-age"]
            self.close()  # It would request this topic's metadata ten times a second, until it is closed.
            if isinstance(error, KafkaTimeoutError) and silence < METADATA_SECONDS:
                self._missing.add(topic)
                raise TopicMissing(topic) from error
            raise BrokerError(str(error)) from error
        return self._client

    def _settle(self, sent: Sent, deadline: float) -> None:
        patience = min(deadline, sent.until) - time.monotonic()
        with suppress(Exception):  # The error is the record's outcome, and is read from the future below.
            sent.future.get(timeout=max(0.0, patience))
        if sent.future.succeeded():
            sent.acknowledged = True
        elif sent.future.failed():
            refused = isinstance(sent.future.exception, RECORD_ERRORS)
            sent.permanent = refused and sent.alone
            sent.error = (RecordRefused if sent.permanent else BrokerError)(str(sent.future.exception))
            if refused and not sent.alone:
                self._suspect.add(sent.topic)
        elif sent.until <= deadline:
            sent.error = BrokerError(f"no answer within {GIVE_UP_SECONDS} s")


def _send(client: Any, record: Outgoing, *, alone: bool) -> Delivery:
    if record.key is None and record.value is None:
        return Delivery(error=RecordRefused("the record has neither key nor value"), permanent=True)
    try:
        future = client.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
    except (MessageSizeTooLargeError, TypeError) as error:
        return Delivery(error=RecordRefused(str(error)), permanent=True)
    except (KafkaError, ValueError) as error:
        raise BrokerError(str(error)) from error
    if future.failed():
        raise BrokerError(str(future.exception))
    return Sent(topic=record.topic, future=future, until=time.monotonic() + GIVE_UP_SECONDS, alone=alone)


def _close_producer(client: Any) -> None:
    """Close a client, even with records in flight: its own `close` would give up and leave its thread."""
    quirks.end_sender(client)
    client.close(timeout=CLOSE_SECONDS)
