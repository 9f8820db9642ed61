"""The documentation that the service shows about itself. Nobody needs a token for it.

The documents are files, which `make contract` writes. They are read at the first request and kept.
"""

import json
import re
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from werkzeug.exceptions import NotFound

from orders_service.api import assets, topics
from orders_service.api.admin.blueprint import has_allowed_host
from orders_service.api.assets import document
from orders_service.contract.problems import PROBLEMS, ProblemType

FOR_EVER = "public, max-age=31536000, immutable"  # The name of an asset contains its hash.
CODE = re.compile("`([^`]+)`")
# A longer header Accept is not looked at: Werkzeug takes time with the square of its length.
ACCEPT_MAX = 1000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The gateway adds this header to a request on a port where it does not answer `/ui` (docker/haproxy.cfg).
WITHOUT_PAGE = "X-Without-Page"
LINKS = (
    *(("/", "Orders service"), ("/docs", "HTTP API"), ("/events", "Events"), ("/problems", "Problems")),
    ("/readyz", "Health"),
)
ADDRESSES = {
    "ui": "/ui",
    "docs": "/docs",
    "events": "/events",
    "problems": "/problems",
    "openapi": "/openapi.json",
    "asyncapi": "/asyncapi.json",
    "health": "/readyz",
    "metrics": "/metrics",
    "orders": "/order-service/{userId}/orders",
    "products": "/catalog-service/catalogs",
}

documents = Blueprint("documents", __name__, template_folder="templates")


@documents.app_template_filter("code")
def with_code(text: str) -> Markup:
    """*text* as HTML, where `…` becomes an element `code`."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))


@documents.after_request
def add_headers(response: Response) -> Response:
    """Forbid a page everything but this service's own files, and scripts inside the page."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    is_asset = request.endpoint == "documents.asset" and response.status_code == 200
    response.headers["Cache-Control"] = FOR_EVER if is_asset else "no-cache"
    return response


@documents.get("/")
def home() -> ResponseReturnValue:
    """The addresses of this API."""
    with_ui = _has_ui()
    if not _is_for_person():
        return _json({name: path for name, path in ADDRESSES.items() if name != "ui" or with_ui})
    with_tokens = current_app.config["SETTINGS"].auth_mode == "jwt"
    return _page("home.html", root=request.url_root, with_tokens=with_tokens, with_ui=with_ui)


@documents.get("/docs")
def docs() -> ResponseReturnValue:
    """The OpenAPI document in Swagger UI."""
    return _page("docs.html")


@documents.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """The OpenAPI document."""
    return _unless_known(*document("openapi.json"))


@documents.get("/asyncapi.json")
def asyncapi() -> ResponseReturnValue:
    """The AsyncAPI document, with the topics and partitions of the settings."""
    return _unless_known(
        *assets.with_etag(json.dumps(topics.asyncapi(current_app.config["SETTINGS"]), indent=1).encode())
    )


@documents.get("/events")
def events() -> ResponseReturnValue:
    """The AsyncAPI document as a page."""
    found = topics.asyncapi(current_app.config["SETTINGS"])
    return _page("events.html", document=found, channels=topics.channels(found))


@documents.get("/schemas/<event>.json")
def schema(event: str) -> ResponseReturnValue:
    """The JSON Schema of an event."""
    if event not in assets.parsed("asyncapi.json")["components"]["schemas"]:
        raise NotFound("There is no such event. GET /events shows all events.")
    return _unless_known(*document(f"schemas/{event}.json"), kind="application/schema+json")


@documents.get("/problems")
def problems() -> ResponseReturnValue:
    """All problem types."""
    if _is_for_person():
        return _page("problems.html", problems=PROBLEMS.values())
    return _json([_described(kind) for kind in PROBLEMS.values()])


@documents.get("/problems/<slug>")
def problem(slug: str) -> ResponseReturnValue:
    """The meaning of a problem type, its remedy, and an example."""
    kind = PROBLEMS.get(slug)
    if kind is None:
        raise NotFound("There is no such problem type. GET /problems lists all.")
    example = assets.parsed("openapi.json")["components"]["examples"][slug]["value"]
    if _is_for_person():
        return _page("problem.html", kind=kind, example=json.dumps(example, indent=2, ensure_ascii=False))
    return _json(_described(kind) | {"example": example})


@documents.get("/docs/assets/<name>")
def asset(name: str) -> ResponseReturnValue:
    """A file of the pages. Its name contains its hash, so a browser may keep it for ever."""
    found = assets.by_url().get(name)
    if found is None:
        raise NotFound
    is_packed = request.accept_encodings.quality("gzip") > 0
    response = current_app.response_class(found.packed if is_packed else found.plain, mimetype=found.kind)
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _has_ui() -> bool:
    """Whether the page can be reached where this request came in."""
    is_on = current_app.config["SETTINGS"].ui_is_on and has_allowed_host()
    return is_on and WITHOUT_PAGE not in request.headers


def _is_for_person() -> bool:
    """Whether the client prefers a page to JSON. `Accept` is never a reason to refuse."""
    if len(request.environ.get("HTTP_ACCEPT", "")) > ACCEPT_MAX:
        return False
    best = request.accept_mimetypes.best_match(("application/json", "text/html"), "application/json")
    return best == "text/html"


def _page(template: str, **values: Any) -> Response:
    text = render_template(template, asset=assets.url_of, links=LINKS, here=request.path, **values)
    response = current_app.response_class(text, mimetype="text/html")
    response.headers["Vary"] = "Accept"
    return response


def _json(value: Any) -> Response:
    response = jsonify(value)
    response.headers["Vary"] = "Accept"
    return response


def _unless_known(body: bytes, etag: str, kind: str = "application/json") -> Response:
    """A document, or 304 if the client has this version of it."""
    is_known = request.if_none_match.contains_weak(etag)
    response = current_app.response_class(b"" if is_known else body, mimetype=kind)
    if is_known:
        response.status_code = 304
        del response.headers["Content-Length"]
    response.set_etag(etag)
    return response


def _described(kind: ProblemType) -> dict[str, Any]:
    return {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "meaning": kind.meaning,
        "remedy": kind.remedy,
    }
