"""The parameters and headers of requests, and the headers of responses, as OpenAPI objects by name."""

from typing import Any

from orders_service.api.admin.kafka import RECORDS, RECORDS_MAX
from orders_service.contract.limits import PRODUCT_ID_MAX, TEXT_MAX, USER_ID_MAX
from orders_service.orders.order import Status
from orders_service.settings import Settings

PAGE_MAX = Settings.api_list_max  # The default of API_LIST_MAX.
ORDER_ID = "8ee40b0c-3d4f-5e0c-8a0b-5f9b6d3c4e21"
# What `requests.KeyText` accepts, without look-ahead, which slows the generators of requests. It also refuses
# texts of dots and spaces. JSON in UTF-8 cannot contain the unpaired surrogates that `KeyText` refuses.
HIDDEN = r"\u0000-\u001f\u007f-\u009f"
KEY_TEXT = rf"^[^{HIDDEN}]*[^{HIDDEN}\s.][^{HIDDEN}]*$"


TAGS = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'
FROM_1970 = {
    "type": "string",
    "format": "date-time",
    "description": "An instant as in RFC 3339, from 1970 on, with `Z` or an offset.",
    "example": "2026-11-24T07:06:15Z",
}


def key_text(most: int) -> dict[str, Any]:
    """The schema of a text that can be a key."""
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": KEY_TEXT}


PATH: dict[str, dict[str, Any]] = {
    "user_id": {
        "name": "userId",
        "description": "The id of the user who places the orders. It is case-sensitive.",
        "schema": key_text(USER_ID_MAX),
        "example": "ann",
    },
    "order_id": {
        "name": "orderId",
        "description": "The id of an order, from the answer that placed it.",
        "schema": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX},
    },
    "product_id": {
        "name": "productId",
        "description": "The id of a product. A slash in it is sent as `%2F`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": PRODUCT_ID_MAX},
        "example": "CATALOG-001",
    },
    "record_id": {
        "name": "recordId",
        "description": "The id of a record: `topic-partition@offset`.",
        "schema": {"type": "string"},
        "example": "example-catalog-topic-4@1198",
    },
    "topic": {
        "name": "topic",
        "description": "A topic of the service.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 249},
        "example": "example-catalog-topic",
    },
    "event": {
        "name": "event",
        "description": "The type of an event.",
        "schema": {"type": "string"},
        "example": "order.placed.v1",
    },
    "slug": {
        "name": "slug",
        "description": "The last part of a problem's `type`.",
        "schema": {"type": "string"},
        "example": "invalid-fields",
    },
}
STATUSES = "|".join(Status)
# Every parameter that `PARAMETERS` in `api/app.py` names. `endpoint.name` describes it for one endpoint only.
QUERY: dict[str, dict[str, Any]] = {
    "limit": {
        "description": "The largest number of items in the answer.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_MAX},
    },
    "admin.list_records.limit": {
        "description": "The largest number of records in the answer.",
        "schema": {"type": "integer", "minimum": 1, "maximum": RECORDS_MAX, "default": RECORDS},
    },
    "order": {
        "description": "`asc` or `oldest`: from the oldest item. `desc` or `newest`: from the newest.",
        "schema": {"type": "string", "enum": ["asc", "desc", "oldest", "newest"], "default": "asc"},
    },
    "status": {
        "description": "Only orders with one of these statuses, separated by commas.",
        "schema": {"type": "string", "pattern": f"^({STATUSES})(,({STATUSES}))*$"},
    },
    "admin.list_orders.status": {
        "description": "Only orders with this status, or with one of several, separated by commas. Without"
        " it, orders of every status are listed if `order` is `newest` or `oldest`.",
        "schema": {"type": "string", "enum": [*Status], "default": Status.PENDING},
    },
    "olderThan": {
        "description": "Only orders that were placed at least so many seconds ago.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
    "productId": {
        "description": "Only orders of this product.",
        "schema": key_text(PRODUCT_ID_MAX),
    },
    "after": {
        "description": "The id of the order or product after which the page begins. The header `Link` of an"
        " answer has it for the next page.",
        "schema": {"type": "string"},
    },
    "userId": {
        "description": "Only orders of this user.",
        "schema": key_text(USER_ID_MAX),
    },
    "placedAfter": {
        "description": "Only orders that were placed at this instant or later.",
        "schema": FROM_1970,
    },
    "placedBefore": {
        "description": "Only orders that were placed before this instant. It must be later than"
        " `placedAfter`.",
        "schema": FROM_1970,
    },
    "createdAfter": {
        "description": "Only orders that were placed at this instant or later.",
        "schema": FROM_1970,
    },
    "createdBefore": {
        "description": "Only orders that were placed before this instant. It must be later than"
        " `createdAfter`.",
        "schema": FROM_1970,
    },
}
HEADERS: dict[str, dict[str, Any]] = {
    "If-None-Match": {
        "description": 'The ETags that the client knows, such as `"1"`. If the order still has one of these'
        " versions, the answer is 304 without a body.",
        "schema": {"type": "string", "pattern": TAGS},
    },
    "If-Match": {
        "description": 'An ETag, such as `"1"`, or several. The order is cancelled only if it has one of'
        " these versions. An order that is CANCELLED already is answered with 200.",
        "schema": {"type": "string", "pattern": TAGS},
    },
    "Idempotency-Key": {
        "description": "A text that the client chooses for this request, such as a UUID. If the request is"
        " sent again with the same key, the answer is the same, and nothing is done a second time: no second"
        " order is placed. A key never expires. It belongs to the user in the path, or to the operator who"
        " sends it.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-+\\x2d-~]+$"},
    },
    "Prefer": {
        "description": "`wait=10`: answer when the catalog has confirmed or rejected the order, or after"
        " 10 s; 30 s at most (RFC 7240). Other preferences are ignored.",
        "schema": {"type": "string"},
    },
    "Last-Event-ID": {
        "description": "The id of the last event that the client got. The stream goes on after it.",
        "schema": {"type": "string"},
    },
    "traceparent": {
        "description": "W3C Trace Context. The events of the order have the same header. A value of another"
        " form is ignored.",
        "schema": {"type": "string"},
    },
}
ANSWERED: dict[str, dict[str, Any]] = {
    "Location": {"description": "The address of the order.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` if an earlier request with this key placed the order, or did the same.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": 'The address of the next page (`rel="next"`). On the last page it is missing.',
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "What is missing (RFC 6750): a token, a valid one (`invalid_token`), or a scope.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "The seconds to wait before the request is sent again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit": {
        "description": "The remaining requests (`r`), and the seconds until all are free again (`t`).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The allowed requests (`q`) in so many seconds (`w`).",
        "schema": {"type": "string"},
    },
    "Allow": {"description": "The methods that the address allows.", "schema": {"type": "string"}},
    "Preference-Applied": {
        "description": "How long the service would have waited, if the request had `Prefer: wait`.",
        "schema": {"type": "string"},
    },
    "ETag": {"description": "The version of the order or the document.", "schema": {"type": "string"}},
}
# The headers of problems, by slug.
OF_PROBLEMS = {
    "precondition-failed": ("ETag",),
    "method-not-allowed": ("Allow",),
    "unauthorized": ("WWW-Authenticate",),
    "insufficient-scope": ("WWW-Authenticate",),
    "keys-unavailable": ("Retry-After",),
    "database-unavailable": ("Retry-After",),
    "broker-unavailable": ("Retry-After",),
    "overloaded": ("Retry-After",),
    "not-ready": ("Retry-After",),
    "too-many-waiters": ("Retry-After",),
    "quota-exceeded": ("Retry-After", "RateLimit", "RateLimit-Policy"),
}
