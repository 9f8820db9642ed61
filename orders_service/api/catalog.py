"""The product resource: `/catalog-service/catalogs`. Read only."""

from urllib.parse import quote

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from orders_service.api import requests, responses
from orders_service.api.database import db, read_only_session
from orders_service.api.pages import Listing
from orders_service.catalog import service
from orders_service.catalog.product import Product

catalog = Blueprint("catalog", __name__, url_prefix="/catalog-service")


@catalog.get("/catalogs")
def index() -> ResponseReturnValue:
    """Every product with its stock: a page of `limit` after the product `after`."""
    limit = requests.load_limit(request.args.get("limit"))
    after = request.args.get("after")
    start = 0
    if after is not None:
        start = service.product(read_only_session(Product), after).id
        db.session.close()  # `Listing` opens its own connections, and may wait for its turn.
    path = f"{catalog.url_prefix}/catalogs?limit={limit}&after="
    listing = Listing(db.engines["catalog"], service.products_query(), responses.product)
    return listing.page(after=start, limit=limit, link=lambda row: path + quote(row.product_id, safe=""))


@catalog.get("/catalogs/<path:product_id>")
def show(product_id: str) -> ResponseReturnValue:
    """One product with its stock."""
    return jsonify(responses.product(service.product(read_only_session(Product), product_id)))
