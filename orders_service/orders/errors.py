"""The refusals of the orders package.

OrderError
├── OrderNotFound       unknown, or another customer's
├── OrderRejected       a rejected order cannot be cancelled
├── IdAmbiguous         more than one order has an id that begins so
├── VersionMoved        the order has changed since the customer read it
└── KeyReused           the idempotency key already belongs to another order
"""

from collections.abc import Sequence


class OrderError(Exception):
    """A rule refuses what a customer wants to do with the order *order_id*."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.order_id = order_id


class OrderNotFound(OrderError):
    """This customer has no such order."""


class IdAmbiguous(OrderError):
    """More than one order has an id that begins with *order_id*: two of them are *ids*."""

    def __init__(self, order_id: str, ids: Sequence[str]) -> None:
        super().__init__(order_id)
        self.ids = ids


class OrderRejected(OrderError):
    """The catalog has rejected the order; there is nothing to cancel."""


class VersionMoved(OrderError):
    """The order has none of the versions that the customer requires; its version is *version*."""

    def __init__(self, order_id: str, version: int) -> None:
        super().__init__(order_id)
        self.version = version


class KeyReused(OrderError):
    """The idempotency key was used before, for an order with other content."""
