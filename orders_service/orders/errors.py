"""Why an order is refused.

OrderError
├── OrderNotFound       unknown, or another customer's
├── OrderRejected       a rejected order cannot be cancelled
└── KeyReused           an idempotency key stands for another order already
"""


class OrderError(Exception):
    """A rule of the orders said no."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.order_id = order_id


class OrderNotFound(OrderError):
    """This customer has no such order."""


class OrderRejected(OrderError):
    """The catalog has rejected the order; there is nothing to cancel."""


class KeyReused(OrderError):
    """The idempotency key was used before, for an order with other content."""
