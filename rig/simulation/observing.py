"""The observer of the simulated broker."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orders_service.events.brokers.observer import GroupState, Member, PartitionState
from orders_service.events.brokers.port import Record
from rig.simulation.log import Place

if TYPE_CHECKING:
    from rig.simulation.broker import SimulatedBroker


class SimulatedObserver:
    """Looks at the logs and the groups."""

    def __init__(self, broker: "SimulatedBroker") -> None:
        self._broker = broker

    def partitions(self, topics: Sequence[str]) -> dict[Place, PartitionState]:
        return {
            log.place: PartitionState(log.begins, log.stable, leader=1)
            for log in self._broker.logs_of(topics)
        }

    def groups(self, topics: Mapping[str, Sequence[str]]) -> dict[str, GroupState]:
        found = {}
        for name, names in topics.items():
            group = self._broker.group(name)
            ids = {log.place: log.topic_id for log in self._broker.logs_of(names)}
            members = [
                Member(
                    f"member-{n}", [place for place, (owner, _) in group.owners.items() if owner is member]
                )
                for n, member in enumerate(group.members)
            ]
            offsets = {place: at for place, (at, topic) in group.offsets.items() if ids.get(place) == topic}
            found[name] = GroupState(members, offsets)
        return found

    def newest(self, topic: str, most: int) -> list[Record]:
        logs = self._broker.logs_of([topic])
        records = [record for log in logs for record in log.records if record.offset < log.stable]
        return sorted(records, key=lambda each: (each.timestamp, each.offset), reverse=True)[:most]

    def close(self) -> None:
        """Does nothing: an observer holds nothing."""
