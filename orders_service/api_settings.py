"""The settings of the API: where it listens, what it bears, and who may use it."""

from dataclasses import dataclass

from marshmallow import ValidationError, validate

from orders_service.contract.scopes import READ, SCOPES, WRITE
from orders_service.setting_kinds import (
    FILE,
    HOST,
    HTTP_URL,
    RATE,
    file,
    host,
    http_url,
    nothing,
    one_of,
    rate,
    setting,
    text,
    whole,
)
from orders_service.setting_rules import is_loopback
from orders_service.token_secret import SECRET_FORMS

# The same sentence is in README.md, docs/operations.md and docker/README.md.
OPEN_TO_ALL = "With `AUTH_MODE=none` anybody who can reach the API can read and cancel anybody's orders."
SCOPE_NAMES = "scopes, separated by spaces"
ORIGINS = "origins such as https://shop.example, separated by spaces"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))
HOST_NAMES = "host names without a port, such as orders.example, separated by spaces"


def scopes(value: str) -> None:
    if unknown := sorted(set(value.split()) - SCOPES.keys()):
        raise ValidationError(f"must not have the unknown scope {unknown[0]}; scopes are {', '.join(SCOPES)}")


def origins(value: str) -> None:
    """An origin is compared as a browser sends it: in lower case, without path and default port."""
    for origin in value.split():
        validate.Regexp(r"https?://[^\s/@?#,*A-Z]+\Z", error=f"must be {ORIGINS}")(origin)
        http_url(origin)
        if origin.endswith(DEFAULT_PORTS[origin.partition(":")[0]]):
            raise ValidationError("must not have the default port of an origin: browsers leave it out")


def host_names(value: str) -> None:
    """A name is compared with the header Host, without its port. An IPv6 address stands in brackets there."""
    for name in value.split():
        error = f"must be {HOST_NAMES}"
        validate.Regexp(r"(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)\Z", error=error)(name)


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The settings of the API."""

    api_host: str = setting("127.0.0.1", text(HOST, host), "The address that the API listens on.")
    api_port: int = setting(8000, whole(1, 65535), "The port that the API listens on.")
    api_workers: int = setting(2, whole(1, 64), "The number of API processes.")
    api_threads: int = setting(
        8,
        whole(1, 256),
        "The most connections of each API process to each database, as many again that only read orders, and"
        " the number of threads with `run`.",
    )
    api_connections_max: int = setting(
        1000,
        whole(16, 65536),
        "The largest number of client connections of each API process. Beyond it, the slowest are closed.",
    )
    api_queue_max: int = setting(
        512,
        whole(1, 65536),
        "The largest number of orders that wait for a commit in each API process. Others get 503 at once.",
    )
    api_waiters_max: int = setting(
        1000,
        whole(1, 1000),
        "The largest number of requests that wait for orders in each API process (`Prefer: wait`, streams).",
    )
    api_list_max: int = setting(1000, whole(1, 10_000), "The largest `limit` of a list, and its default.")
    rate_limit: str = setting(
        "",
        text(RATE, rate),
        "How many requests each user may send; the API's processes share the number. Unset: no limit.",
    )
    auth_mode: str = setting(
        "none",
        one_of("none", "jwt"),
        "Who may use the API: anybody (none), or clients with a token or an API key (jwt)."
        " Must be set if API_HOST is not a loopback address.",
    )
    auth_secret: str = setting(
        "", text(), "The shared secret that tokens are signed with (HS256, HS384, HS512).", secret=nothing
    )
    auth_secret_form: str = setting(
        "text",
        one_of(*SECRET_FORMS),
        "The form of AUTH_SECRET: the key, the key in base64, or a text whose base64 is the key (jjwt).",
    )
    auth_jwks_url: str = setting(
        "",
        text(HTTP_URL, http_url),
        "The URL of the issuer's public keys, a JWK set (RS256, ES256, EdDSA).",
    )
    auth_keys_file: str = setting(
        "", text(FILE, file), "A file with public keys, a JWK set, instead of AUTH_JWKS_URL."
    )
    auth_issuer: str = setting(
        "", text(), "The issuer (`iss`) that a token must have. Required with AUTH_JWKS_URL."
    )
    auth_audience: str = setting(
        "", text(), "The audience (`aud`) that a token must have. Required with AUTH_JWKS_URL."
    )
    auth_scope_claim: str = setting("scope", text(), "The claim of a token that holds its scopes.")
    auth_default_scopes: str = setting(
        f"{READ} {WRITE}", text(SCOPE_NAMES, scopes), "The scopes of a token without AUTH_SCOPE_CLAIM."
    )
    auth_leeway_seconds: int = setting(
        30, whole(0, 300), "By how many seconds the clock of a token's issuer may differ from ours."
    )
    api_keys_file: str = setting(
        "",
        text(FILE, file),
        "A file with the API keys of other services, a line each: name, scopes, SHA-256 of the key.",
    )
    cors_origins: str = setting(
        "",
        text(ORIGINS, origins),
        "The origins whose pages may call the API from a browser. Unset: none.",
    )
    ui: str = setting(
        "auto",
        one_of("auto", "on", "off"),
        "Whether the page `/ui` is served. auto: if API_HOST is a loopback address, or with `AUTH_MODE=jwt`.",
    )
    ui_hosts: str = setting(
        "",
        text(HOST_NAMES, host_names),
        "The host names on which `/ui` and `/admin` also answer with `AUTH_MODE=none`."
        " Unset: only localhost, 127.0.0.1 and [::1].",
    )

    @property
    def ui_is_on(self) -> bool:
        """Whether the page is served. It has no data, but without tokens it shows everybody's orders."""
        if self.ui == "auto":
            return is_loopback(self.api_host) or self.auth_mode == "jwt"
        return self.ui == "on"

    @property
    def ui_host_names(self) -> frozenset[str]:
        """The names that a request to the page may have in its header Host, in lower case."""
        return LOOPBACK_NAMES | frozenset(self.ui_hosts.lower().split())
