"""The product resource: `/catalog-service/catalogs`. Read only."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from orders_service.api import schemas
from orders_service.api.database import reading
from orders_service.catalog import service
from orders_service.catalog.product import Product

catalog = Blueprint("catalog", __name__, url_prefix="/catalog-service")


@catalog.get("/catalogs")
def index() -> ResponseReturnValue:
    """Every product with its stock."""
    return jsonify([schemas.product(product) for product in service.products(reading(Product))])


@catalog.get("/catalogs/<product_id>")
def show(product_id: str) -> ResponseReturnValue:
    """One product with its stock."""
    return jsonify(schemas.product(service.product(reading(Product), product_id)))
