"""Why the catalog refuses.

    CatalogError
    ├── ProductNotFound     no product of this id
    ├── ProductKnown        there is one, with a name and a price
    └── SupplyDiffers       another number of pieces came under this note

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


class ProductKnown(CatalogError):
    """The product that is to be new is there, with a name and a price."""


class SupplyDiffers(CatalogError):
    """Another number of pieces was supplied under this note."""

    def __init__(self, qty: int) -> None:
        super().__init__(qty)
        self.qty = qty


class ReleaseDue(RecordError):
    """A cancellation that was discarded would leave the order's pieces set aside for ever."""

    reason = "release-due"
