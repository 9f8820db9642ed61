"""The topics, and the topic of each event."""

from dataclasses import dataclass

from orders_service.contract.events import Event


@dataclass(frozen=True)
class Topics:
    """The topic of each channel. Without a topic for *sink*, no such events are recorded."""

    catalog: str = "example-catalog-topic"
    stock: str = "example-stock-topic"
    sink: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.catalog, self.stock) if self.sink is None else (self.catalog, self.stock, self.sink)

    def of(self, event: Event) -> str:
        """The topic to which an event is sent."""
        topic: str | None = getattr(self, event.channel)
        if topic is None:
            raise ValueError(f"no topic is set for {event.type}")
        return topic
