"""The checks of the broker: its topics, their settings and replicas, and the consumer groups."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from orders_service import resources
from orders_service.broker_client import BROKER_FILE, broker, topic_spec
from orders_service.commands.doctor import topics
from orders_service.commands.doctor.finding import Check, Finding, away, fine, warning, wrong
from orders_service.events.brokers.port import Broker, BrokerError, TopicDescription
from orders_service.processes import CONSUMERS, Consumer
from orders_service.settings import Settings

CREATE = "orders-service topics create"
DAY = 86_400_000
PROMISED = {"replication": 3, "min.insync.replicas": 2}  # With less, a lost disk can lose events.


@dataclass
class BrokerChecks:
    """The broker that is checked."""

    settings: Settings

    @property
    def checks(self) -> list[Check]:
        """The checks in order: a check comes after those that it depends on."""
        return [
            Check("broker", self.reached, gate=True),
            Check("topics", self.topics, gate=True),
            *([Check("topic settings", self.topic_settings)] if self._is_kafka else []),
            *([Check("transactions", self.transactions)] if self._is_kafka else []),
            *([Check("replication", self.replication)] if self._is_kafka else []),
            *([Check("retention", self.retention)] if self._is_kafka else []),
            *(
                Check(f"group {resources.group(self.settings, consumer)}", partial(self.group, consumer))
                for consumer in CONSUMERS
            ),
        ]

    def reached(self) -> Finding:
        if not self._is_kafka:
            file = Path(self.settings.state_dir, BROKER_FILE)
            return fine(f"embedded, {file}") if file.exists() else away(f"{file} does not exist", CREATE)
        try:
            count = len(self._topics)
        except BrokerError as error:
            return away(str(error), "check that Kafka runs and that the settings KAFKA_… are correct")
        where = f"{self.settings.kafka_bootstrap_servers}, {self.settings.kafka_security_protocol}"
        return fine(f"Kafka, {where}, {count} topic{'s' * (count != 1)}")

    def topics(self) -> Finding:
        """Whether the topics exist and match the settings. More partitions than configured are fine."""
        if missing := [name for name in self._names if name not in self._topics]:
            return wrong(f"missing: {', '.join(missing)}", CREATE)
        spec = topic_spec(self.settings)
        wanted = {"partitions": spec.partitions} | (
            {
                "replication": spec.replication,
                "min.insync.replicas": spec.min_insync_replicas,
                "retention.ms": spec.retention_days * DAY,
                "max.message.bytes": spec.max_message_bytes,
            }
            if self._is_kafka
            else {}
        )
        differ = [
            f"{topic.name}: {name} is {_value(topic, name)}, not {value}"
            for topic in self._ours
            for name, value in wanted.items()
            if _value(topic, name) != value and not (name == "partitions" and topic.partitions > value)
        ]
        if differ:
            return warning("; ".join(differ), "change the topics with Kafka's tools, or the settings TOPIC_…")
        return fine(f"{', '.join(self._names)}: match the settings")

    def topic_settings(self) -> Finding:
        return topics.settings(self._ours)

    def transactions(self) -> Finding:
        """Whether a producer has left a transaction open, which blocks all consumers of its partition."""
        found = self._broker.open_transactions(self._names)
        return topics.transactions(found, self.settings.kafka_bootstrap_servers)

    def replication(self) -> Finding:
        """Whether enough replicas are in sync to acknowledge a record and to survive the loss of a broker."""
        if thin := [t for t in self._ours if t.in_sync < _value(t, "min.insync.replicas")]:
            seen = ", ".join(f"{t.name}: {t.in_sync} in sync" for t in thin)
            return wrong(f"{seen}, fewer than min.insync.replicas", "start the brokers that are down")
        lagging = [t.name for t in self._ours if t.in_sync < t.replication]
        if lagging:
            return warning(f"not every replica of {', '.join(lagging)} is in sync", "check the brokers")
        low = {
            f"{name} is {_value(topic, name)}": None
            for topic in self._ours
            for name, value in PROMISED.items()
            if _value(topic, name) < value
        }
        if low:
            do = "in production, use three brokers, and topics with replication 3 and min.insync.replicas 2"
            return warning(f"{', '.join(low)}; the loss of one disk can lose events", do)
        return fine(", ".join(f"{name} ≥ {value}" for name, value in PROMISED.items()) + ", all in sync")

    def retention(self) -> Finding:
        """Whether the outbox keeps events longer than the topics and the group offsets are kept.

        A record that a topic has dropped can be sent again only while its event is in the outbox.
        """
        keep = self.settings.outbox_keep_days
        kept = {t.name: _value(t, "retention.ms") / DAY for t in self._ours}
        long = {name: days for name, days in kept.items() if days < 0 or days >= keep}
        if long:
            seen = ", ".join(
                f"{name} keeps records {'for ever' if days < 0 else f'for {days:g} days'}"
                for name, days in long.items()
            )
            return wrong(
                f"{seen}; the outbox keeps events for {keep} days",
                "increase OUTBOX_KEEP_DAYS, or reduce the topics' retention",
            )
        memory = self._broker.offset_retention_days()
        if memory is not None and memory <= keep:
            seen = (
                f"Kafka deletes the offsets of a group without consumers after {memory:g} days;"
                f" the outbox keeps events for {keep} days"
            )
            return warning(seen, "increase the brokers' offsets.retention.minutes")
        return fine(f"shorter than OUTBOX_KEEP_DAYS ({keep} days)")

    def group(self, consumer: Consumer) -> Finding:
        group, topic = resources.group(self.settings, consumer), resources.topic(self.settings, consumer)
        found = self._broker.describe_group(group, [topic])
        waiting = f"{found.lag} unread in {topic}"
        if found.lost:
            seen = f"{topic} deleted {found.lost} records before they were read"
            return wrong(seen, f"start orders-service {consumer.command}: it prints how to send them again")
        if found.members == 0:
            seen = f"no consumer, {waiting}"
            return (wrong if found.lag else warning)(seen, f"start orders-service {consumer.command}")
        if found.members is None and found.lag:
            return warning(waiting, "check that orders-service run is running")
        who = "" if found.members is None else f", {found.members} consumer{'s' * (found.members != 1)}"
        return fine(f"{waiting}{who}")

    @property
    def _is_kafka(self) -> bool:
        return self.settings.broker == "kafka"

    @cached_property
    def _broker(self) -> Broker:
        return broker(self.settings)

    @cached_property
    def _topics(self) -> dict[str, TopicDescription]:
        return {topic.name: topic for topic in self._broker.describe_topics()}

    @property
    def _names(self) -> tuple[str, ...]:
        return resources.topics(self.settings).names

    @property
    def _ours(self) -> list[TopicDescription]:
        return [self._topics[name] for name in self._names]


def _value(topic: TopicDescription, name: str) -> int:
    """A number of *topic*: its partitions, its replication, or a Kafka setting."""
    counts = {"partitions": topic.partitions, "replication": topic.replication}
    return counts[name] if name in counts else int(topic.settings[name])
