"""One order's journey: `/admin/orders/<order_id>/journey`."""

from functools import partial

from flask import current_app, jsonify
from flask.typing import ResponseReturnValue

from orders_service.api import responses
from orders_service.api.admin.blueprint import admin
from orders_service.api.database import db
from orders_service.broker_client import broker
from orders_service.operations.journey.journey import journey
from orders_service.operations.journey.reading import Found, Sources, read
from orders_service.operations.journey.searches import Searches

SEARCHES: Searches[Found] = Searches()  # Each process has its own.


@admin.get("/orders/<order_id>/journey")
def show_journey(order_id: str) -> ResponseReturnValue:
    """The places and times of an order: in the databases and in the log, which is searched."""
    settings = current_app.config["SETTINGS"]
    sources = Sources(settings, db.engine, db.engines["catalog"], partial(broker, settings))
    told = journey(read(sources, order_id, searches=SEARCHES))
    return jsonify({"order": responses.order_of_any_user(told.order)} | told.as_json())
