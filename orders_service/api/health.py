"""Alive? Ready? And the course's health check."""

import socket
from collections.abc import Callable

import structlog
from flask import Blueprint, Response, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from orders_service.api.database import db, reading
from orders_service.api.problems import RETRY_SECONDS, problem
from orders_service.catalog.product import Product
from orders_service.orders.order import Order
from orders_service.settings import Settings

PROBE_SECONDS = 1.0

log = structlog.get_logger()
health = Blueprint("health", __name__)


@health.get("/livez")
def live() -> ResponseReturnValue:
    """The process answers. It asks nothing of anybody else."""
    return jsonify(status="alive")


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """Whether orders can be taken. Without catalog or broker they can: their events wait in the outbox."""
    checks = {
        "ordersDatabase": _answers(lambda: reading(Order).execute(select(Order).limit(1))),
        "catalogDatabase": _answers(lambda: reading(Product).execute(select(Product).limit(1))),
        "broker": _answers(_probe_broker),
    }
    if checks["ordersDatabase"] != "ok":
        detail = "The orders database does not answer, or was not migrated."
        response = problem(503, "not-ready", "Orders cannot be taken now", detail, checks=checks)
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response
    degraded = any(check != "ok" for check in checks.values())
    return jsonify(status="degraded" if degraded else "ready", checks=checks)


@health.get("/order-service/health_check")
@health.get("/order-service/health-check")
def order_service() -> ResponseReturnValue:
    """The course's words."""
    return _works("Order")


@health.get("/catalog-service/health_check")
@health.get("/catalog-service/health-check")
def catalog_service() -> ResponseReturnValue:
    """The course's words."""
    return _works("Catalog")


def _works(service: str) -> Response:
    port = _settings().api_port
    return Response(f"It's Working in {service} Service on PORT {port}", mimetype="text/plain")


def _answers(check: Callable[[], object]) -> str:
    try:
        check()
    except (SQLAlchemyError, OSError) as error:
        log.warning("not ready", error=str(error))
        return "down"
    finally:
        db.session.rollback()
    return "ok"


def _probe_broker() -> None:
    """Connect to one of Kafka's servers; the embedded log is a file and always there."""
    if _settings().broker != "kafka":
        return
    failure = OSError("no Kafka server is named")
    for server in _settings().kafka_bootstrap_servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), PROBE_SECONDS).close()
        except OSError as error:
            failure = error
        else:
            return
    raise failure


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
