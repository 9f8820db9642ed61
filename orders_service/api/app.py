"""One Flask app for `/order-service` and `/catalog-service`, as behind the course's gateway."""

import re
from collections.abc import Callable, Collection
from contextlib import nullcontext

from flask import Flask, request
from werkzeug.exceptions import BadRequest, NotFound

from orders_service import resources
from orders_service.api import problems, rate_limit
from orders_service.api.admin import admin
from orders_service.api.body import BODY_MAX
from orders_service.api.catalog import catalog
from orders_service.api.committer import Committer, WaitingRequest
from orders_service.api.database import COMMITTER, WATCHER, db
from orders_service.api.documents import documents
from orders_service.api.errors import UnknownParameter
from orders_service.api.health import Readiness, health
from orders_service.api.identity import access, cors, setup
from orders_service.api.lists import OPERATOR_FILTERS, ORDER_FILTERS, PAGE
from orders_service.api.metrics import metrics, shared_metrics
from orders_service.api.order_events import order_events
from orders_service.api.orders import orders
from orders_service.api.pages import Turn
from orders_service.api.serving.application import Application
from orders_service.api.watch import Watcher
from orders_service.database.engines import open_engine
from orders_service.orders.service import Placement
from orders_service.settings import Settings

# The query parameters of each endpoint. Probes and scrapers may send any: their endpoints read none.
PARAMETERS: dict[str, Collection[str]] = {
    "orders.index": (*PAGE, *ORDER_FILTERS),
    "admin.index": (*PAGE, *OPERATOR_FILTERS),
    "catalog.index": tuple(PAGE),
}
UNCHECKED = {
    None,  # An address that does not exist: it gets 404.
    "health.live",
    "health.ready",
    "health.order_service",
    "health.catalog_service",
    "metrics.show",
}
BUSY_THREADS = 3  # With threads, requests that wait for orders leave so many to the others.
BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def create_app(
    settings: Settings,
    *,
    gather: Callable[[], object] | None = None,
    turn: Turn = lambda *, first: nullcontext(),
    waiting: Callable[[Placement], WaitingRequest] = WaitingRequest,
    waiters_max: int | None = None,
    key_files: setup.KeyFiles | None = None,
) -> Flask:
    """Create the application with its own engines. Call it after a fork, not before.

    *gather* and *waiting* are for the `Committer`, *waiters_max* for the `Watcher` (None: all threads but
    BUSY_THREADS); *turn* lets long requests work one at a time. *key_files* are read here if they are not
    given.
    """
    app = Application("orders_service", static_folder=None)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_MAX,
        SETTINGS=settings,
        TURN=turn,  # A long request does each piece of its work in a turn.
        OUTBOX=resources.outbox(settings, "orders"),
        SQLALCHEMY_BINDS=_databases(settings),
    )
    db.init_app(app)
    with app.app_context():
        app.extensions["committer"] = Committer(
            db.engines[COMMITTER],
            app.config["OUTBOX"],
            gather=gather,
            waiting=waiting,
            queue_max=settings.api_queue_max,
        )
        most = _waiters_of_threads(settings) if waiters_max is None else waiters_max
        app.extensions["watcher"] = Watcher(db.engines[WATCHER], most=most)
    problems.init_app(app)
    _add_checks(app, settings, key_files)
    _open_probes(app, settings)
    _add_routes(app)
    return app


def _waiters_of_threads(settings: Settings) -> int:
    return min(settings.api_waiters_max, max(0, settings.api_threads - BUSY_THREADS))


def _databases(settings: Settings) -> dict[str | None, str]:
    orders_binds = dict.fromkeys((None, COMMITTER, WATCHER), settings.orders_database_url)
    return orders_binds | {"catalog": settings.catalog_database_url}


def _add_checks(app: Flask, settings: Settings, key_files: setup.KeyFiles | None) -> None:
    # The order of these checks is the order of the statuses: 401, 429, 403, 400.
    cors.init_app(app, settings)
    setup.init_app(app, settings, key_files)
    rate_limit.init_app(app, settings)
    access.init_app(app, settings)
    app.before_request(refuse_ambiguous_request)


def _add_routes(app: Flask) -> None:
    for blueprint in (orders, order_events, catalog, admin, health, metrics, documents):
        app.register_blueprint(blueprint)
    access.require_complete(app)


def _open_probes(app: Flask, settings: Settings) -> None:
    # Probes and scrapers have their own pools, so that they and the orders do not wait for each other.
    engines = {name: open_engine(url, pool_size=2) for name, url in resources.urls(settings).items()}
    issuer_keys = setup.issuer_keys(app)
    app.extensions["readiness"] = Readiness(settings, engines, issuer_keys)
    app.extensions["metrics"] = shared_metrics(settings, engines, issuer_keys)


def refuse_ambiguous_request() -> None:
    """Refuse an invalid or ambiguous target, a missing Host, and an unknown or repeated parameter.

    Path bytes that are not UTF-8 would be replaced, and two users would become one. This server decodes or
    drops `%2F`, `//` and `#…`; a gateway that does not would see another address. If a parameter such as
    `?limt=1` were ignored, the client would get an answer to another question.
    """
    environ = request.environ  # Each use of Flask's proxy costs as much as all of these checks.
    path, target = environ["PATH_INFO"], environ["RAW_URI"]
    try:
        path.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The path is not UTF-8.") from error
    if "HTTP_HOST" not in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        raise BadRequest("HTTP/1.1 requires the header Host.")
    if "#" in target:
        raise BadRequest("The request target must not contain a fragment (#).")
    if "%" in target and BROKEN_ESCAPE.search(target):
        raise BadRequest("A % must be followed by two hexadecimal digits.")
    if path.startswith("//") or target.startswith("//") or ("%2" in target and _hides_a_slash(target)):
        raise NotFound(
            "This address does not exist. It must not begin with // or contain an encoded slash (%2F)."
        )
    if environ["QUERY_STRING"] and request.endpoint not in UNCHECKED:
        _check_parameters(PARAMETERS.get(request.endpoint or "", ()))


def _hides_a_slash(target: str) -> bool:
    """Whether the path contains an encoded slash (`%2F`), which is allowed only in a product's id."""
    path = target.partition("?")[0]
    return "%2f" in path.lower() and not path.startswith(f"{catalog.url_prefix}/catalogs/")


def _check_parameters(known: Collection[str]) -> None:
    for name, values in request.args.lists():
        if name not in known:
            raise UnknownParameter(name, known)
        if len(values) > 1:
            raise BadRequest(f"The parameter {name!r} is given {len(values)} times.")
