"""Why the catalog refuses.

    CatalogError
    └── ProductNotFound     no product of this id

Refusals of stock are not errors but answers: see `product.Reason`.
"""


class CatalogError(Exception):
    """A rule of the catalog said no."""


class ProductNotFound(CatalogError):
    """The catalog has no such product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(product_id)
        self.product_id = product_id
