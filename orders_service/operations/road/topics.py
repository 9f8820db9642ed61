"""The topics of the service partition by partition, with the lag of each group beside them."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from orders_service import resources
from orders_service.broker_client import broker
from orders_service.events.brokers.observer import GroupState, PartitionState, Place, lag_of
from orders_service.events.brokers.port import BrokerError, Record
from orders_service.operations.records import as_json
from orders_service.operations.road.look import sentence
from orders_service.operations.road.picture import instant_of_record
from orders_service.printable import printable, safe
from orders_service.processes import CONSUMERS
from orders_service.settings import Settings

Json = dict[str, Any]
CONNECTORS = "Kafka Connect is not read here. Use: orders-service connectors status"


def names(settings: Settings) -> list[str]:
    """The topics of the service."""
    return list(resources.topics(settings).names)


def topics_view(settings: Settings) -> Json:
    """The topics and the groups as JSON. If the broker does not answer, `problem` says so."""
    empty: Json = {"topics": [], "groups": [], "connectors": None, "connectorsProblem": CONNECTORS}
    reads: dict[str, list[str]] = {}
    for consumer in CONSUMERS:
        reads.setdefault(resources.group(settings, consumer), []).append(resources.topic(settings, consumer))
    try:
        with closing(broker(settings).observer()) as observer:
            groups = observer.groups(reads)  # Before the ends: see `lag_of`.
            partitions = observer.partitions(names(settings))
    except BrokerError as error:
        return empty | {"problem": sentence(safe(str(error)))}
    topics = [
        _topic(name, partitions, {group: groups[group] for group in reads if name in reads[group]})
        for name in names(settings)
    ]
    totals: dict[str, int] = {}
    for topic in topics:
        for group, lag in topic["lag"].items():
            totals[group] = totals.get(group, 0) + lag
    listed = [
        {
            "name": group,
            "members": None if state.members is None else len(state.members),
            "lag": totals[group],
        }
        for group, state in groups.items()
    ]
    return empty | {"topics": topics, "groups": listed, "problem": None}


def records_view(settings: Settings, topic: str, most: int) -> list[Json]:
    """The newest records of a topic, as text; raises `BrokerError`."""
    with closing(broker(settings).observer()) as observer:
        return [_record(record) for record in observer.newest(topic, most)]


def _topic(name: str, states: Mapping[Place, PartitionState], groups: Mapping[str, GroupState]) -> Json:
    mine = {place: state for place, state in states.items() if place[0] == name}
    members = {group: _owners(state) for group, state in groups.items()}
    partitions = [
        {
            "partition": place[1],
            "first": state.first,
            "end": state.end,
            "groups": [
                {
                    "group": group,
                    "committed": groups[group].committed.get(place),
                    "lag": lag_of(state, groups[group].committed.get(place)),
                    "member": members[group].get(place),
                }
                for group in groups
            ],
        }
        for place, state in sorted(mine.items())
    ]
    return {
        "name": name,
        "replication": min(state.replication for state in mine.values()),
        "inSync": min(state.in_sync for state in mine.values()),
        "partitions": partitions,
        "lag": {group: _lag(group, partitions) for group in groups},
    }


def _owners(group: GroupState) -> dict[Place, str]:
    return {place: printable(member.name) for member in group.members or () for place in member.places}


def _lag(group: str, partitions: Sequence[Json]) -> int:
    return sum(
        each["lag"] for partition in partitions for each in partition["groups"] if each["group"] == group
    )


def _record(record: Record) -> Json:
    time.sleep(0)  # With greenlets, other requests are served between two large records.
    return {"place": str(record), "at": instant_of_record(record.timestamp)} | as_json(record)
