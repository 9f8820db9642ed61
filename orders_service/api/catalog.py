"""The product resource: `/catalog-service/catalogs`. Read only."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from orders_service.api import lists, responses
from orders_service.api.database import db, read_only_session
from orders_service.api.scan import Scan
from orders_service.catalog import service
from orders_service.catalog.product import Product

catalog = Blueprint("catalog", __name__, url_prefix="/catalog-service")


@catalog.get("/catalogs")
def index() -> ResponseReturnValue:
    """Every product with its stock, oldest or newest first: a page of `limit` after the product `after`."""
    return lists.page_of(
        Scan(db.engines["catalog"], service.products_query()),
        responses.product,
        path=f"{catalog.url_prefix}/catalogs",
        key="product_id",
        find=lambda product_id: service.product(read_only_session(Product), product_id),
    )


@catalog.get("/catalogs/<path:product_id>")
def show(product_id: str) -> ResponseReturnValue:
    """One product with its stock."""
    return jsonify(responses.product(service.product(read_only_session(Product), product_id)))
