"""The blueprint `/admin` with all its routes: each module that is imported here adds some."""

from orders_service.api.admin import (
    actions,
    dead_letters,
    doctor,
    journey,
    kafka,
    letter_changes,
    order_changes,
    orders,
    outbox,
    road,
    stock,
)
from orders_service.api.admin.blueprint import admin

__all__ = [
    "actions",
    "admin",
    "dead_letters",
    "doctor",
    "journey",
    "kafka",
    "letter_changes",
    "order_changes",
    "orders",
    "outbox",
    "road",
    "stock",
]
