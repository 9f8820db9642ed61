"""The blueprint `/admin`, and whom it answers."""

import re

from flask import Blueprint, current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from orders_service.api.identity.errors import HostNotAllowed
from orders_service.settings import Settings
from orders_service.ui.page import ui

PORT = re.compile(":[0-9]+$")

admin = Blueprint("admin", __name__, url_prefix="/admin")


@ui.before_request
@admin.before_request
def require_allowed_host() -> None:
    """Without authentication, refuse a host name that is not this machine's or in UI_HOSTS.

    A page of another site can make a browser send requests to a name that it points to this machine (DNS
    rebinding). With a token that is harmless: the page does not have it. Raises `HostNotAllowed`.
    """
    if not has_allowed_host():
        raise HostNotAllowed


def has_allowed_host() -> bool:
    """Whether the page and `/admin` answer on the host name of the current request."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.auth_mode == "jwt" or PORT.sub("", request.host.lower()) in settings.ui_host_names


@admin.before_request
def require_json() -> None:
    """Refuse a change that does not have a JSON body; raises `UnsupportedMediaType`.

    A browser sends JSON to another site only after it has asked that site, which does not allow it. So a page
    of another site can cause no change, even if it knows the address.
    """
    if request.method == "POST" and request.mimetype != "application/json":
        sent = request.mimetype or "missing"
        raise UnsupportedMediaType(f"The content type must be application/json; it is {sent}.")
