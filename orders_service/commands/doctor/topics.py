"""Do Kafka's topics keep every event until it is read, and can they be read?"""

from collections.abc import Iterator, Sequence

from orders_service.commands.doctor.finding import Finding, fine, warning, wrong
from orders_service.events.brokers.port import OpenTransaction, TopicDescription

EVENT_BYTES = 16_384  # More than our largest event has, with its headers.
CLOCKS_MS = 600_000  # Machines' clocks may well differ by less.
BY_THE_BROKER = "message.timestamp.type to LogAppendTime"
OPEN_SECONDS = 60  # A producer that is well ends its transactions sooner.


def settings(topics: Sequence[TopicDescription]) -> Finding:
    """Settings with which a topic silently drops events that nobody has read, or refuses ours."""
    if bad := [f"{topic.name}: {seen}" for topic in topics for seen in _wrong(topic)]:
        return wrong(
            "; ".join(bad),
            "change them with kafka-configs --alter --entity-type topics, or use another topic",
        )
    if odd := [f"{topic.name}: {seen}" for topic in topics for seen in _odd(topic)]:
        return warning("; ".join(odd), "change them with kafka-configs --alter --entity-type topics")
    return fine("no setting makes Kafka drop or refuse events")


def _wrong(topic: TopicDescription) -> Iterator[str]:
    found = topic.settings
    if "compact" in found.get("cleanup.policy", ""):
        policy = found["cleanup.policy"]
        yield f"cleanup.policy is {policy}, so only each product's newest order is kept: set it to delete"
    if int(found.get("min.insync.replicas", 1)) > topic.replication:
        needed = found["min.insync.replicas"]
        yield f"min.insync.replicas is {needed}, replication is {topic.replication}: nothing can be written"
    if int(found.get("max.message.bytes", EVENT_BYTES)) < EVENT_BYTES:
        most = found["max.message.bytes"]
        yield f"max.message.bytes is {most}, so Kafka may refuse events: set it to at least {EVENT_BYTES}"
    if topic.replication > 1 and found.get("unclean.leader.election.enable") == "true":
        yield "unclean.leader.election.enable is true, so acknowledged events can be lost: set it to false"


def _odd(topic: TopicDescription) -> Iterator[str]:
    found = topic.settings
    if (most := found.get("retention.bytes", "-1")) != "-1":
        yield f"retention.bytes is {most}, so Kafka can delete events before retention.ms: set it to -1"
    if found.get("message.timestamp.type") == "CreateTime":
        bounds = [f"message.timestamp.{side}.max.ms" for side in ("before", "after")]
        for name in bounds:
            if int(found.get(name, CLOCKS_MS)) < CLOCKS_MS:
                yield f"{name} is {found[name]}, so a wrong clock stops a relay: set {BY_THE_BROKER}"


def transactions(found: Sequence[OpenTransaction], servers: str) -> Finding:
    """Whether a producer's open transaction stops a partition's readers."""
    long = [one for one in found if one.quiet_seconds > OPEN_SECONDS]
    if not long:
        return fine("no open transaction blocks a partition")
    first = min(long, key=lambda one: (one.topic, one.partition, one.offset))
    who = f"producer {first.producer_id}" + (f", {first.transactional_id}" if first.transactional_id else "")
    more = f". Transactions like this: {len(long) - 1} more" if len(long) > 1 else ""
    where = f"--topic {first.topic} --partition {first.partition} --start-offset {first.offset}"
    return wrong(
        f"{first.topic}-{first.partition}@{first.offset}: a transaction ({who}) is open and has had no"
        f" record for {first.quiet_seconds:.0f} s; it blocks {first.waiting} records{more}",
        f"end it in that producer, or run: kafka-transactions --bootstrap-server {servers} abort {where}",
    )
