"""The addresses of the page. They hold no data, so they are open; the data come from `/admin`."""

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from orders_service.ui.files import File, by_name, modules

# Everything comes from this service. Nothing stands inside the page: no script, no style.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLAIN_SCREENS = ("orders", "stock", "dead-letters", "outbox", "doctor", "practice")

ui = Blueprint("ui", __name__, url_prefix="/ui", template_folder="templates")


@ui.after_request
def add_headers(response: Response) -> Response:
    """Forbid the page everything but this service's own files."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"  # Ask each time; the ETag makes the answer short.
    return response


@ui.get("")
@ui.get("/<any({}):screen>".format(", ".join(f'"{name}"' for name in PLAIN_SCREENS)))
@ui.get("/orders/<item>")
@ui.get("/dead-letters/<item>")
def show(screen: str = "road", item: str = "") -> ResponseReturnValue:
    """The shell, which is the same for every screen: its script reads the address."""
    return render_template("shell.html", modules=modules())


@ui.get("/", strict_slashes=True)
def without_slash() -> ResponseReturnValue:
    """The page itself."""
    return redirect(url_for("ui.show"), 308)


@ui.get("/assets/<name>")
def asset(name: str) -> ResponseReturnValue:
    """A file of the page, or 304 if the browser has this version of it."""
    file = by_name().get(name)
    if file is None:
        raise NotFound("The page has no such file.")
    return _not_modified(file) if request.if_none_match.contains_weak(file.etag) else _whole(file)


def _whole(file: File) -> Response:
    is_packed = request.accept_encodings.quality("gzip") > 0
    response = current_app.response_class(file.packed if is_packed else file.plain, mimetype=file.kind)
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return _with_etag(response, file)


def _not_modified(file: File) -> Response:
    response = current_app.response_class(b"", 304, mimetype=file.kind)
    del response.headers["Content-Length"]
    return _with_etag(response, file)


def _with_etag(response: Response, file: File) -> Response:
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(file.etag, weak=True)
    return response
