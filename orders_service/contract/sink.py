"""The record for a Kafka Connect sink, as in the course: a placed order with its schema."""

from dataclasses import dataclass
from typing import Any

from orders_service.contract.events import OrderEvent


@dataclass(frozen=True, kw_only=True)
class OrderRow(OrderEvent):
    """A placed order as a row for a Kafka Connect sink, as in the `orders` topic of the course."""

    type = "orders.sink.v1"
    sign = 1

    @property
    def key(self) -> str:
        return self.order_id

    def data(self) -> dict[str, Any]:
        row = {
            "order_id": self.order_id,
            "user_id": self.user_id,
            "product_id": self.product_id,
            "qty": self.qty,
            "unit_price": self.unit_price,
            "total_price": self.total_price,
        }
        return {"schema": ROW_SCHEMA, "payload": row}


ROW_SCHEMA = {
    "type": "struct",
    "fields": [
        {"type": type_, "optional": True, "field": field}
        for type_, field in (
            ("string", "order_id"),
            ("string", "user_id"),
            ("string", "product_id"),
            ("int32", "qty"),
            ("int32", "unit_price"),
            ("int32", "total_price"),
        )
    ],
    "optional": False,
    "name": "orders",
}
