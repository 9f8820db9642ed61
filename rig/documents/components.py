"""The JSON of requests, responses and problems, derived from the code, as OpenAPI schemas."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from orders_service.api.errors import ERRORS_MAX
from orders_service.api.requests import (
    BATCH_MAX,
    IdempotencyKey,
    KeyText,
    OrderOfBatch,
    OrderRequest,
    WholeNumber,
)
from orders_service.contract import facts
from orders_service.contract.events import Reason
from orders_service.contract.limits import (
    INT_MAX,
    PRODUCT_ID_MAX,
    QTY_MAX,
    REASON_MAX,
    TEXT_MAX,
    TOTAL_PRICE_MAX,
    UNIT_PRICE_MAX,
)
from orders_service.orders.order import Status
from orders_service.processes import DATABASES
from rig.documents import actions, doctor, journey, letters, road
from rig.documents.parameters import key_text

Schema = dict[str, Any]

PRODUCT_NAME_MAX = 255  # The column of `catalog/product.py`.

INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "In UTC, with milliseconds: `2026-11-24T07:06:15.292+00:00`.",
}
ANSWER_MS: Schema = {
    "type": ["number", "null"],
    "minimum": 0,
    "description": "The milliseconds from placing the order to its answer. Null while it is PENDING, and when"
    " it was cancelled.",
}
# The bounds of the facts of an order in responses. Other facts are texts or 32-bit integers.
BOUNDS: dict[str, Schema] = {
    "productId": {"minLength": 1, "maxLength": PRODUCT_ID_MAX},
    "qty": {"minimum": 1, "maximum": QTY_MAX, "description": "The number of pieces."},
    "unitPrice": {"minimum": 0, "maximum": UNIT_PRICE_MAX, "description": "In the currency's smallest unit."},
    "totalPrice": {"minimum": 0, "maximum": TOTAL_PRICE_MAX, "description": "`qty` times `unitPrice`."},
}


def request_schema(schema: type[OrderRequest] = OrderRequest) -> Schema:
    """The schema of an order in a request, from its marshmallow schema."""
    plugin = MarshmallowPlugin()
    spec = APISpec("", "", "3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    plugin.converter.field_mapping[WholeNumber] = ("integer", None)
    plugin.converter.field_mapping[KeyText] = ("string", None)
    plugin.converter.field_mapping[IdempotencyKey] = ("string", None)
    plugin.converter.add_attribute_function(_bounds)  # type: ignore[no-untyped-call]
    spec.components.schema("OrderRequest", schema=schema)
    found: Schema = spec.to_dict()["components"]["schemas"]["OrderRequest"]
    found["description"] = f"`qty` times `unitPrice` must be at most {TOTAL_PRICE_MAX}."
    for name, property_ in found["properties"].items():
        if description := BOUNDS.get(name, {}).get("description"):
            property_["description"] = description
    return found | {"additionalProperties": False}


def _bounds(_: Any, field: Any, **__: Any) -> Schema:
    if isinstance(field, WholeNumber):
        return {"minimum": field._least, "maximum": field._most}
    if isinstance(field, IdempotencyKey):
        return {"minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"}
    return key_text(field._most) if isinstance(field, KeyText) else {}


def schemas() -> dict[str, Schema]:
    """All schemas, by name."""
    shown = {name: _fact(name) for name in facts.JSON_NAMES if name != "userId"}
    status = {
        "type": "string",
        "enum": [*Status],
        "description": "PENDING → CONFIRMED or REJECTED; PENDING or CONFIRMED → CANCELLED.",
    }
    order: dict[str, Schema] = shown | {"createdAt": INSTANT, "status": status}
    reason = {
        "type": "string",
        "maxLength": REASON_MAX,
        "description": f"Why the order was rejected: {', '.join(f'`{each}`' for each in Reason)}.",
    }
    state: Schema = {"type": "string", "enum": ["ok", "down"]}
    checks = dict.fromkeys([*(f"{name}Database" for name in DATABASES), "broker"], state)
    return {
        "OrderRequest": request_schema(),
        "PlacedOrder": _object(shown | {"status": status}, reason=reason),
        "OrderOfBatch": request_schema(OrderOfBatch),
        "Batch": _batch(),
        "BatchAnswers": {"type": "array", "minItems": 1, "maxItems": BATCH_MAX, "items": _ref("BatchAnswer")},
        "BatchAnswer": _batch_answer(),
        "Order": _object(order, reason=reason),
        "Orders": {"type": "array", "items": _ref("Order")},
        "OrderOfUser": _object(
            {"userId": _fact("userId")} | order | {"answerMs": ANSWER_MS},
            reason=reason,
        ),
        "OrdersOfAllUsers": {"type": "array", "items": _ref("OrderOfUser")},
        "Product": _product(),
        "Products": {"type": "array", "items": _ref("Product")},
        "Alive": _object({"status": {"type": "string", "const": "alive"}}),
        "Ready": _object(
            {"status": {"type": "string", "enum": ["ready", "degraded"]}, "checks": _object(checks)}
        ),
        "ActuatorHealth": _object({"status": {"type": "string", "enum": ["UP", "DOWN"]}}),
        "Links": {"type": "object", "additionalProperties": {"type": "string"}},
        "Any": {"type": "object"},
        "Events": {"type": "string", "description": "Server-sent events. `data` is the order as JSON."},
        **letters.schemas(),
        **actions.schemas(),
        **journey.schemas(),
        **road.schemas(),
        **doctor.SCHEMAS,
        **_problems(),
    }


def _product() -> Schema:
    return _object(
        {
            "productId": {"type": "string", "maxLength": PRODUCT_ID_MAX},
            "productName": {"type": "string", "maxLength": PRODUCT_NAME_MAX},
            "unitPrice": {"type": "integer", "minimum": 0, "maximum": INT_MAX},
            "stock": {"type": "integer", "minimum": 0, "maximum": INT_MAX},
            "createdAt": INSTANT,
        }
    )


def _batch() -> Schema:
    orders = {"type": "array", "minItems": 1, "maxItems": BATCH_MAX, "items": _ref("OrderOfBatch")}
    return _object({"orders": orders}) | {"additionalProperties": False}


def _batch_answer() -> Schema:
    return _object(
        {"status": {"type": "integer", "enum": [201, 422]}},
        location={"type": "string", "description": "The address of the order."},
        order=_ref("PlacedOrder"),
        replayed={"type": "boolean", "description": "`true` if the key was used before for this order."},
        problem=_ref("Problem"),
    )


def _problems() -> dict[str, Schema]:
    text = {"type": "string"}
    error = _object(
        {"field": text | {"description": "The name of the field."}, "detail": text},
        pointer=text | {"description": "A JSON Pointer to the field, if it is in the body (RFC 6901)."},
    )
    problem = _object(
        {
            # Not an enumeration: a new type must not break a client that was generated before.
            "type": text | {"format": "uri-reference", "description": "`GET /problems` lists them."},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text | {"description": "What is wrong, for a person. The texts may change."},
        },
        instance=text | {"format": "uri-reference", "description": "It ends with the id of the request."},
        scope=text | {"description": "The scope that is needed."},
        errors={"type": "array", "items": error, "maxItems": ERRORS_MAX},
        parameters={"type": "array", "items": text},
        orderIds={"type": "array", "items": text},
        **{"violated-policies": {"type": "array", "items": text}},
        orderId=text | {"maxLength": TEXT_MAX},
        checks={"type": "object", "additionalProperties": {"type": "string"}},
    )
    problem["description"] = "Problem details (RFC 9457)."
    kind = _object(
        {
            "type": text | {"format": "uri-reference"},
            "title": text,
            "status": {"type": "integer"},
            "meaning": text,
            "remedy": text,
        },
        example=_ref("Problem"),
    )
    return {
        "Problem": problem,
        "ProblemType": kind,
        "ProblemTypes": {"type": "array", "items": _ref("ProblemType")},
    }


def _fact(name: str) -> Schema:
    is_number = facts.is_number(list(facts.FACTS)[facts.JSON_NAMES.index(name)])
    bounds = {"maximum": INT_MAX} if is_number else {"maxLength": TEXT_MAX}
    return {"type": "integer" if is_number else "string"} | BOUNDS.get(name, bounds)


def _object(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {"type": "object", "properties": required | optional, "required": [*required]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
