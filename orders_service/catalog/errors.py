"""The errors of the catalog.

    CatalogError
    ├── ProductNotFound     no product of this id
    ├── ProductExists       the product exists already, with a name and a price
    ├── SupplyDiffers       another number of pieces was supplied under this note
    ├── NotInStock          a correction would take more pieces than are in stock
    └── StockTooLarge       the stock would be larger than its column can hold

    RecordError
    └── ReleaseDue          a cancellation that still has pieces to give back

Refusals of stock are not errors but answers: see `contract.events.Reason`.
"""

from orders_service.contract.errors import RecordError


class CatalogError(Exception):
    """A rule of the catalog said no."""


class ProductNotFound(CatalogError):
    """The catalog has no such product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(product_id)
        self.product_id = product_id


class ProductExists(CatalogError):
    """The product cannot be added: it exists already, with a name and a price."""


class SupplyDiffers(CatalogError):
    """Another number of pieces was supplied under this note."""

    def __init__(self, qty: int) -> None:
        super().__init__(qty)
        self.qty = qty


class NotInStock(CatalogError):
    """The correction would take more pieces than are in stock; reserved pieces belong to orders."""

    def __init__(self, stock: int, reserved: int) -> None:
        super().__init__(stock, reserved)
        self.stock = stock
        self.reserved = reserved


class StockTooLarge(CatalogError):
    """The stock would be larger than its column can hold."""

    def __init__(self, stock: int) -> None:
        super().__init__(stock)
        self.stock = stock


class ReleaseDue(RecordError):
    """The cancellation cannot be discarded: the order's pieces would stay reserved for ever."""

    reason = "release-due"
