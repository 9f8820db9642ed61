"""The product resource: `/catalog-service/catalogs`. Read only."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from orders_service.api import schemas
from orders_service.api.database import db
from orders_service.catalog import service

catalog = Blueprint("catalog", __name__, url_prefix="/catalog-service")


@catalog.get("/catalogs")
def index() -> ResponseReturnValue:
    """Every product with its stock."""
    return jsonify([schemas.product(product) for product in service.products(db.session())])


@catalog.get("/catalogs/<product_id>")
def show(product_id: str) -> ResponseReturnValue:
    """One product with its stock."""
    return jsonify(schemas.product(service.product(db.session(), product_id)))
