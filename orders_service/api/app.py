"""One Flask app for `/order-service` and `/catalog-service`, as behind the course's gateway."""

import re
from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import Any

import orjson
from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.routing import MapAdapter

from orders_service import wiring
from orders_service.api import problems
from orders_service.api.body import BODY_MAX
from orders_service.api.catalog import catalog
from orders_service.api.committer import Committer, Waiting
from orders_service.api.database import COMMITTER, db
from orders_service.api.health import Readiness, health
from orders_service.api.metrics import metrics, shared_metrics
from orders_service.api.orders import orders
from orders_service.api.pages import Turn
from orders_service.api.problems import shortened
from orders_service.orders.service import Placement
from orders_service.settings import Settings

# The query parameters of each endpoint. Probes and scrapers may send what they like; it is not read.
PARAMETERS = {"orders.index": ("limit", "after"), "catalog.index": ("limit", "after")}
UNCHECKED = {
    None,
    "health.live",
    "health.ready",
    "health.order_service",
    "health.catalog_service",
    "metrics.show",
}


BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class Answer(Response):
    """A response. Made with its body, it has all its headers, and they are not gone through again."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return self.headers if "Content-Length" in self.headers else super().get_wsgi_headers(environ)


class Json(DefaultJSONProvider):
    """JSON as the course's services write it: compact, keys in our order, text as it is."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_APPEND_NEWLINE)
        # Passed on as it is: it is bytes, and there is nothing to close.
        return Answer(body, mimetype=self.mimetype, direct_passthrough=True)


class Application(Flask):
    """Flask for views that are plain functions, found by path and method alone: nothing here reads a host."""

    json_provider_class = Json
    response_class = Answer

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


def create_app(
    settings: Settings,
    *,
    gather: Callable[[], object] = lambda: None,
    turn: Turn = lambda *, first: nullcontext(),
    waiting: Callable[[Placement], Waiting] = Waiting,
) -> Flask:
    """An application with its own engines; make it after a fork, not before. The rest: see `Committer`."""
    app = Application("orders_service", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_MAX,
        SETTINGS=settings,
        TURN=turn,  # A long request does each piece of its work in one.
        OUTBOX=wiring.orders_outbox(settings),
        SQLALCHEMY_BINDS={
            None: settings.orders_database_url,
            COMMITTER: settings.orders_database_url,
            "catalog": settings.catalog_database_url,
        },
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
    # Probes and scrapers have connections of their own: they wait for no order, and no order waits for them.
    engines = {name: wiring.engine(url, pool_size=2) for name, url in wiring.urls(settings).items()}
    app.extensions["readiness"] = Readiness(settings, engines)
    app.extensions["metrics"] = shared_metrics(settings, engines)
    problems.init_app(app)
    app.before_request(refuse_broken_address)
    for blueprint in (orders, catalog, health, metrics):
        app.register_blueprint(blueprint)
    return app


def refuse_broken_address() -> None:
    """Refuse what could be taken for another address, and a query parameter that the endpoint does not have.

    Bytes that are not UTF-8 would make two users one. What the server decodes or drops (`%2F`, `//`, `#…`)
    is another address to a gateway that does not. A parameter that is ignored (`?limt=1`) would be answered
    with what nobody asked for.
    """
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The path is not UTF-8.") from error
    if "HTTP_HOST" not in request.environ and request.environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        raise BadRequest("HTTP/1.1 requires the header Host.")
    target = request.environ["RAW_URI"]
    if "#" in target:
        raise BadRequest("A request target has no fragment.")
    if "%" in target and BROKEN_ESCAPE.search(target):
        raise BadRequest("A % must be followed by two hexadecimal digits.")
    if (
        request.environ["PATH_INFO"].startswith("//")
        or target.startswith("//")
        or ("%2" in target and _hides_a_slash(target))
    ):
        raise NotFound("There is no such address. A slash within a name cannot be sent.")
    if request.environ["QUERY_STRING"] and request.endpoint not in UNCHECKED:
        _check_parameters(PARAMETERS.get(request.endpoint or "", ()))


def _hides_a_slash(target: str) -> bool:
    """Whether a path has an encoded slash, which only a product's id may have."""
    path = target.partition("?")[0]
    return "%2f" in path.lower() and not path.startswith(f"{catalog.url_prefix}/catalogs/")


def _check_parameters(known: Collection[str]) -> None:
    has = f"it has {', '.join(known)}" if known else "it has none"
    for name, values in request.args.lists():
        if name not in known:
            raise BadRequest(f"This address has no parameter {shortened(name)!r}; {has}.")
        if len(values) > 1:
            raise BadRequest(f"The parameter {name!r} is given {len(values)} times.")
