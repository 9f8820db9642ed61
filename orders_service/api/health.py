"""The probes of liveness and readiness, and the course's health checks."""

import socket
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from flask import Blueprint, Response, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase

from orders_service.api.identity.key_sets import FetchedKeys
from orders_service.api.problems import later, problem
from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.catalog.product import Product
from orders_service.database.bounds import CONNECT_SECONDS
from orders_service.database.errors import in_short
from orders_service.orders.order import Order
from orders_service.processes import DatabaseName
from orders_service.settings import Settings

# One table of each database, which is read to see that it answers and was migrated.
TABLE: dict[DatabaseName, type[DeclarativeBase]] = {"orders": Order, "catalog": Product}
PROBE_SECONDS = 1.0  # The time-out for the catalog database and the broker. Orders do not need them.

ISSUER_KEYS = "issuerKeys"
# The checks without which no order can be accepted.
NEEDED = {
    "ordersDatabase": "The orders database does not answer, or was not migrated.",
    ISSUER_KEYS: "The keys of AUTH_JWKS_URL were never fetched.",
}

log = structlog.get_logger()
health = Blueprint("health", __name__)


@health.get("/livez")
def live() -> ResponseReturnValue:
    """Liveness: the process answers. No other service is checked."""
    return jsonify(status="alive")


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """Readiness: 503 if the orders database is down. Without catalog or broker, events wait in the outbox."""
    checks = _readiness().checks()
    if missing := _missing(checks):
        return later(problem("not-ready", " ".join(missing), checks=checks))
    degraded = any(check != "ok" for check in checks.values())
    return jsonify(status="degraded" if degraded else "ready", checks=checks)


@health.get("/actuator/health")
def actuator() -> ResponseReturnValue:
    """Readiness in the JSON of Spring Boot's actuator: DOWN with 503 exactly when `/readyz` is 503."""
    if _missing(_readiness().checks()):
        down = jsonify(status="DOWN")
        down.status_code = 503
        return later(down)
    return jsonify(status="UP")


@health.get("/order-service/health_check")
@health.get("/order-service/health-check")
def order_service() -> ResponseReturnValue:
    """The course's health check, with its text."""
    return _works("Order")


@health.get("/catalog-service/health_check")
@health.get("/catalog-service/health-check")
def catalog_service() -> ResponseReturnValue:
    """The course's health check, with its text."""
    return _works("Catalog")


@health.get("/product-service/health-check")
def product_service() -> ResponseReturnValue:
    """The health check of the course's newest edition, with its text."""
    return _works("Product")


def _missing(checks: Mapping[str, str]) -> list[str]:
    """A sentence for each check that failed and without which no order can be accepted."""
    return [NEEDED[name] for name in NEEDED if checks.get(name, "ok") != "ok"]


def _works(service: str) -> Response:
    port = _settings().api_port
    text = f"It's Working in {service} Service on PORT {port}"
    return current_app.response_class(text, mimetype="text/plain")


class Readiness:
    """The readiness of databases and broker: each is checked once a second, on its own connections."""

    def __init__(
        self,
        settings: Settings,
        engines: Mapping[DatabaseName, Engine],
        issuer_keys: FetchedKeys | None = None,
    ) -> None:
        self.engines = engines
        self._issuer_keys = issuer_keys
        self._questions = {
            f"{name}Database": _shared(
                partial(_read, engine, TABLE[name]), CONNECT_SECONDS if name == "orders" else PROBE_SECONDS
            )
            for name, engine in engines.items()
        }
        self._questions["broker"] = _shared(partial(_probe_broker, settings), PROBE_SECONDS)

    def checks(self) -> dict[str, str]:
        """The result of each check by its name: `ok` or `down`."""
        for question in self._questions.values():
            question.begin()
        checks = {name: question.answer() for name, question in self._questions.items()}
        if self._issuer_keys:
            checks[ISSUER_KEYS] = "down" if self._issuer_keys.age is None else "ok"
        return checks


def _shared(ask: Callable[[], object], patience: float) -> SharedAnswer[str]:
    return SharedAnswer(partial(_answers, ask), late=lambda: "down", patience=patience)


def _answers(ask: Callable[[], object]) -> str:
    try:
        ask()
    except (SQLAlchemyError, OSError) as error:
        log.warning("readiness check failed", error=in_short(error))
        return "down"
    return "ok"


def _read(engine: Engine, model: type[DeclarativeBase]) -> None:
    with engine.connect().execution_options(read_only=True) as connection:
        connection.execute(select(model).limit(1))
        if engine.dialect.name != "sqlite" and connection.scalar(text("SELECT @@GLOBAL.read_only")):
            raise OSError("the server is read-only (read_only=ON)")


def _probe_broker(settings: Settings) -> None:
    """Connect to one of the Kafka servers. The embedded log is a file and needs no check."""
    if settings.broker != "kafka":
        return
    failure = OSError("KAFKA_BOOTSTRAP_SERVERS is empty")
    for server in settings.kafka_bootstrap_servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), PROBE_SECONDS).close()
        except OSError as error:
            failure = error
        else:
            return
    raise failure


def _readiness() -> Readiness:
    readiness: Readiness = current_app.extensions["readiness"]
    return readiness


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
