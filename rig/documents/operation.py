"""The description of one endpoint, and what all descriptions share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

# Every operation may answer these problems. They are the `default` response of each operation.
ALWAYS = (
    *("bad-request", "unknown-parameter", "not-found", "method-not-allowed", "request-timeout"),
    "request-entity-too-large",
    *("request-uri-too-long", "expectation-failed", "request-header-fields-too-large", "quota-exceeded"),
    *("internal-server-error", "overloaded"),
)
TAGS = {
    "orders": "Place, read and cancel orders.",
    "operators": "For the people who run the service.",
    "catalog": "Products with their stock.",
    "health": "For probes and monitoring.",
    "documents": "This documentation. Nobody needs a token for it.",
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One endpoint. *schema* is the JSON of its answer, and *body* that of its request (`components.py`).

    *problems* are those beside `ALWAYS` and beside those of tokens, which come from `ACCESS`. *empty* are
    other answers, without a body, and *others* those with the JSON of *schema*.
    """

    id: str
    tag: str
    summary: str
    description: str = ""
    answer: str
    status: int = 200
    schema: str | None = None
    types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()  # The headers of the answer.
    body: str | None = None
    parameters: tuple[str, ...] = ()  # The headers of the request.
    problems: tuple[str, ...] = ()
    empty: Mapping[int, str] = field(default_factory=dict)
    others: Mapping[int, str] = field(default_factory=dict)


DATABASE = ("database-unavailable",)
LIST = ("unknown-parameter", "unknown-after", "invalid-fields", *DATABASE)
KNOWN = {304: "The client has this version."}


class _Change(TypedDict):
    parameters: tuple[str, ...]
    headers: tuple[str, ...]
    problems: tuple[str, ...]


# What every change under `/admin` has in common.
CHANGE = _Change(
    parameters=("Idempotency-Key",),
    headers=("Idempotent-Replayed",),
    problems=(
        *("host-not-allowed", "bad-request", "invalid-body", "invalid-idempotency-key"),
        *("unsupported-media-type", "invalid-fields", "idempotency-key-reused", *DATABASE),
    ),
)


def with_problems(change: _Change, *slugs: str) -> _Change:
    """*change* with more problems."""
    return _Change(
        parameters=change["parameters"], headers=change["headers"], problems=(*change["problems"], *slugs)
    )
