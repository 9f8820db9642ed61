"""The record for a Kafka Connect sink, as in the course: a placed order with its schema."""

from dataclasses import dataclass
from typing import Any

from orders_service.contract import facts
from orders_service.contract.events import Event

# The course's records begin with the ids of order and user.
NAMES = sorted(facts.FACTS, key=lambda name: name not in ("order_id", "user_id"))
SCHEMA = {
    "type": "struct",
    "fields": [
        {"type": "int32" if facts.is_number(name) else "string", "optional": True, "field": name}
        for name in NAMES
    ],
    "optional": False,
    "name": "orders",
}


@dataclass(frozen=True, kw_only=True)
class SinkRecord(Event, facts.OrderFacts):
    """A placed order as a row for a Kafka Connect sink, as in the `orders` topic of the course."""

    type = "orders.sink.v1"
    channel = "sink"

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "payload": {name: getattr(self, name) for name in NAMES}}
