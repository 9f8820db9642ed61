"""One Flask app for `/order-service` and `/catalog-service`, as behind the course's gateway."""

import re
from collections.abc import Callable, Collection
from contextlib import nullcontext

from flask import Flask, request
from prometheus_client.registry import Collector
from sqlalchemy.engine import URL
from werkzeug.exceptions import BadRequest, NotFound

from orders_service import resources
from orders_service.api import problems, rate_limit
from orders_service.api.admin import dead_letters, outbox, stock, views
from orders_service.api.admin.kafka import shared_topics
from orders_service.api.admin.practice import practice
from orders_service.api.admin.road_reader import RoadReader
from orders_service.api.admin.routes import admin
from orders_service.api.body import BODY_MAX
from orders_service.api.catalog import CATALOGS, PRODUCTS, catalog
from orders_service.api.committer import Committer
from orders_service.api.database import CATALOG, COMMITTER, READER, WATCHER, db
from orders_service.api.documents import documents
from orders_service.api.errors import UnknownParameter
from orders_service.api.health import Readiness, health
from orders_service.api.identity import access, cors, setup
from orders_service.api.lists import OPERATOR_FILTERS, ORDER_FILTERS, PAGE
from orders_service.api.metrics import metrics, shared_metrics
from orders_service.api.order_events import order_events
from orders_service.api.orders import orders
from orders_service.api.pages import Turn
from orders_service.api.practice.practice import Practice
from orders_service.api.practice.scene import Scene, Workers
from orders_service.api.request_log import RequestLog
from orders_service.api.request_metrics import RequestMetrics
from orders_service.api.serving.application import Application
from orders_service.api.waiting import WaitingRequest
from orders_service.api.watch import Watcher
from orders_service.database.engines import open_engine, reply_seconds
from orders_service.database_url import parse
from orders_service.operations.doctor import DoctorRuns
from orders_service.orders.service import Placement
from orders_service.settings import Settings
from orders_service.ui.page import ui

# The query parameters of each endpoint. Probes and scrapers may send any: their endpoints read none.
PARAMETERS: dict[str, Collection[str]] = {
    "orders.index": (*PAGE, *ORDER_FILTERS),
    "admin.list_orders": (*PAGE, *OPERATOR_FILTERS),
    "admin.list_dead_letters": tuple(dead_letters.FILTERS),
    "admin.show_dead_letter": ("group",),
    "admin.list_records": ("limit",),
    "catalog.index": tuple(PAGE),
}
UNCHECKED = {
    None,  # An address that does not exist: it gets 404.
    "health.live",
    "health.ready",
    "health.order_service",
    "health.catalog_service",
    "health.product_service",
    "health.actuator",
    "metrics.show",
    "ui.show",  # What its script shows stands in the address.
    "ui.without_slash",
}
WITH_PRODUCT_ID = (f"{CATALOGS}/", f"{PRODUCTS}/", f"{admin.url_prefix}/stock/")
# With threads, so many follow the road; and they and those that wait for orders leave so many to the others.
VIEWING_THREADS, BUSY_THREADS = 2, 3
VIEWERS_SHARE = 4  # With greenlets, viewers have a quarter as many seats as requests that wait.
BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def create_app(
    settings: Settings,
    *,
    gather: Callable[[], object] | None = None,
    turn: Turn = lambda *, first: nullcontext(),
    waiting: Callable[[Placement], WaitingRequest] = WaitingRequest,
    waiters_max: int | None = None,
    key_files: setup.KeyFiles | None = None,
    numbers: Collector | None = None,
    doctor: DoctorRuns | None = None,
    workers: Workers | None = None,
) -> Flask:
    """Create the application with its own engines. Call it after a fork, not before.

    *gather* and *waiting* are for the `Committer`, *waiters_max* for the `Watcher` (None: with
    threads); *turn* lets long requests work one at a time. *key_files* are read here if they are not
    given. *numbers* are the metrics of all API processes, and *doctor* has the findings that they share, if
    there are several. With *workers*, which run in this process, the page has its practice.
    """
    app = _configured(settings, turn)
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
        viewers = VIEWING_THREADS if waiters_max is None else max(1, waiters_max // VIEWERS_SHARE)
        app.extensions["watcher"] = Watcher(db.engines[WATCHER], most=most)
        app.extensions["road"] = RoadReader(settings, viewers=viewers)
        _open_operations(app, settings, doctor, workers)
    problems.init_app(app)
    app.request_log = RequestLog(settings.log_requests)
    _add_checks(app, settings, key_files)
    _open_probes(app, settings, numbers)
    _add_routes(app)
    return app


def _configured(settings: Settings, turn: Turn) -> Application:
    app = Application("orders_service", static_folder=None)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_MAX,
        SETTINGS=settings,
        TURN=turn,  # A long request does each piece of its work in a turn.
        OUTBOX=resources.outbox(settings, "orders"),
        SQLALCHEMY_BINDS=_databases(settings),
    )
    return app


def _waiters_of_threads(settings: Settings) -> int:
    return min(settings.api_waiters_max, max(0, settings.api_threads - BUSY_THREADS - VIEWING_THREADS))


def _databases(settings: Settings) -> dict[str | None, URL]:
    # Flask-SQLAlchemy cannot parse a list of hosts. `Database` connects to all of them.
    first = {name: parse(url).first for name, url in resources.urls(settings).items()}
    orders_binds = dict.fromkeys((None, COMMITTER, READER, WATCHER), first["orders"])
    return orders_binds | {CATALOG: first["catalog"]}


def _add_checks(app: Flask, settings: Settings, key_files: setup.KeyFiles | None) -> None:
    # The order of these checks is the order of the statuses: 401, 429, 403, 400.
    cors.init_app(app, settings)
    setup.init_app(app, settings, key_files)
    rate_limit.init_app(app, settings)
    access.init_app(app, settings)
    app.before_request(refuse_ambiguous_request)


def _add_routes(app: Application) -> None:
    for blueprint in (orders, order_events, catalog, admin, health, metrics, documents):
        app.register_blueprint(blueprint)
    if app.config["SETTINGS"].ui_is_on:
        app.register_blueprint(ui)
    if "practice" in app.extensions:
        app.register_blueprint(practice)
    access.require_complete(app)
    app.request_metrics = RequestMetrics(app.url_map.iter_rules())


def _open_operations(
    app: Flask, settings: Settings, doctor: DoctorRuns | None, workers: Workers | None
) -> None:
    """Create the objects that the page and its addresses under `/admin` keep in this process."""
    app.extensions["doctor"] = doctor or DoctorRuns()
    app.extensions["topics"] = shared_topics(settings)
    views.init_app(
        app,
        {
            "dead-letter-groups": (dead_letters.groups, dead_letters.NO_GROUPS, dead_letters.GROUPS_SECONDS),
            "outbox": (outbox.outbox, outbox.LATE, outbox.OUTBOX_SECONDS),
            "stock": (stock.balances, stock.LATE, stock.STOCK_SECONDS),
        },
    )
    app.extensions["road"].practice = workers is not None
    if workers:
        engines = {"orders": db.engines[None], "catalog": db.engines["catalog"]}
        scene = Scene(settings, app.extensions["committer"], workers, **engines)
        app.extensions["practice"] = Practice(scene)


def _open_probes(app: Flask, settings: Settings, numbers: Collector | None) -> None:
    # Probes and scrapers have their own pools, so that they and the orders do not wait for each other.
    engines = {
        name: open_engine(url, pool_size=2, read_seconds=reply_seconds(url))
        for name, url in resources.urls(settings).items()
    }
    issuer_keys = setup.issuer_keys(app)
    app.extensions["readiness"] = Readiness(settings, engines, issuer_keys)
    app.extensions["metrics"] = shared_metrics(settings, engines, issuer_keys, numbers)


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
    return "%2f" in path.lower() and not path.startswith(WITH_PRODUCT_ID)


def _check_parameters(known: Collection[str]) -> None:
    for name, values in request.args.lists():
        if name not in known:
            raise UnknownParameter(name, known)
        if len(values) > 1:
            raise BadRequest(f"The parameter {name!r} is given {len(values)} times.")
