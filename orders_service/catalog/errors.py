"""Why the catalog refuses.

    CatalogError
    └── ProductNotFound     no product of this id

    RecordError
    └── ReleaseDue          a cancellation that still has pieces to give back

Refusals of stock are not errors but answers: see `product.Reason`.
"""

from orders_service.events.errors import RecordError


class CatalogError(Exception):
    """A rule of the catalog said no."""


class ProductNotFound(CatalogError):
    """The catalog has no such product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(product_id)
        self.product_id = product_id


class ReleaseDue(RecordError):
    """A cancellation that was discarded would leave the order's pieces set aside for ever."""

    reason = "release-due"
