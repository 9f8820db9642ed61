"""Which topic carries which events."""

from dataclasses import dataclass

from orders_service.contract.events import Event, OrderEvent
from orders_service.contract.sink import OrderRow


@dataclass(frozen=True)
class Topics:
    """Which topic carries which events."""

    catalog: str = "example-catalog-topic"
    stock: str = "example-stock-topic"
    sink: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.catalog, self.stock) if self.sink is None else (self.catalog, self.stock, self.sink)

    def of(self, event: Event) -> str:
        if isinstance(event, OrderRow):
            assert self.sink is not None, "a row for a sink was recorded, and no topic is set for it"
            return self.sink
        return self.catalog if isinstance(event, OrderEvent) else self.stock
