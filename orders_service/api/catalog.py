"""The product resource: `/catalog-service/catalogs`. Read only.

The course's newest edition calls the same `/product-service/products`.
"""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from orders_service.api import lists, responses
from orders_service.api.database import db, read_only_session
from orders_service.api.scan import Scan
from orders_service.catalog import service
from orders_service.catalog.product import Product

CATALOGS, PRODUCTS = "/catalog-service/catalogs", "/product-service/products"

catalog = Blueprint("catalog", __name__)


@catalog.get(PRODUCTS)
@catalog.get(CATALOGS)
def index() -> ResponseReturnValue:
    """Every product with its stock, oldest or newest first: a page of `limit` after the product `after`."""
    return lists.page_of(
        Scan(db.engines["catalog"], service.products_query()),
        responses.product,
        path=str(request.url_rule),
        key="product_id",
        find=lambda product_id: service.product(read_only_session(Product), product_id),
    )


@catalog.get(f"{PRODUCTS}/<path:product_id>")
@catalog.get(f"{CATALOGS}/<path:product_id>")
def show(product_id: str) -> ResponseReturnValue:
    """One product with its stock."""
    return jsonify(responses.product(service.product(read_only_session(Product), product_id)))
