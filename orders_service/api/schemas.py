"""The JSON of requests and responses: the course's, with a status added."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from sqlalchemy import Row

from orders_service.api.problems import InvalidFields
from orders_service.catalog.product import Product
from orders_service.orders.order import Order, Status
from orders_service.orders.service import Placement

PRODUCT_ID_MAX = 120
USER_ID_MAX = 255
QTY_MAX = 10_000
UNIT_PRICE_MAX = 100_000_000
PAGE_MAX = 1000  # Also the default of `limit`.
FIELDS_MAX = 50  # A body with more fields is refused without a check of each field.
TOTAL_PRICE_MAX = 2**31 - 1  # The course's Java and the sink's schema are 32-bit.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # Control characters, unpaired surrogates.
DOT_SEGMENTS = (".", "..")  # A client removes them from a URL before it sends it (RFC 3986, 5.2.4).


class Whole(fields.Field[int]):
    """A JSON integer from *least* to *most*: not `"2"`, `true`, `1.0` or `null`."""

    default_error_messages = {"required": "is missing", "null": "must not be null"}  # noqa: RUF012

    def __init__(self, least: int, most: int) -> None:
        super().__init__(required=True)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int or not self._least <= value <= self._most:
            raise ValidationError(f"must be an integer from {self._least} to {self._most}")
        return value


class Name(fields.Field[str]):
    """A JSON string that can be a key: 1 to *most* printable characters, not only blanks."""

    default_error_messages = {"required": "is missing", "null": "must not be null"}  # noqa: RUF012

    def __init__(self, most: int) -> None:
        super().__init__(required=True)
        self._most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > self._most:
            raise ValidationError(f"must be a text of 1 to {self._most} characters")
        if UNPRINTABLE.search(value):
            raise ValidationError("must not contain control characters or unpaired surrogates")
        if value in DOT_SEGMENTS:
            raise ValidationError("must not be . or .., which no URL can contain as a name")
        return value


class OrderRequest(Schema):
    """The body of `POST …/orders`. Other fields are refused, because they would have no effect."""

    error_messages = {"unknown": "is not a field of an order"}  # noqa: RUF012

    productId = Name(PRODUCT_ID_MAX)
    qty = Whole(1, QTY_MAX)
    unitPrice = Whole(0, UNIT_PRICE_MAX)

    @validates_schema
    def total_fits(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an order whose total price does not fit in 32 bits."""
        if data["qty"] * data["unitPrice"] > TOTAL_PRICE_MAX:
            raise ValidationError(f"times unitPrice must be at most {TOTAL_PRICE_MAX}", "qty")


ORDER_REQUEST = OrderRequest()
USER_ID = Name(USER_ID_MAX)


def load_order(members: Mapping[str, Any]) -> dict[str, Any]:
    """The validated fields of an order; raises `InvalidFields` for those that are wrong."""
    if len(members) > FIELDS_MAX:
        unknown = [name for name in members if name not in ORDER_REQUEST.fields]
        raise InvalidFields(dict.fromkeys(unknown, OrderRequest.error_messages["unknown"]))
    try:
        return dict(ORDER_REQUEST.load(members))
    except ValidationError as error:
        assert isinstance(error.messages, dict)  # noqa: PT017
        raise InvalidFields({name: texts[0] for name, texts in error.messages.items()}) from error


def load_user_id(user_id: str) -> str:
    """The validated user id of a path; raises `InvalidFields`."""
    try:
        return USER_ID.deserialize(user_id) or ""
    except ValidationError as error:
        raise InvalidFields({"userId": error.messages[0]}, in_path=frozenset({"userId"})) from error


def load_limit(limit: str | None) -> int:
    """The validated page size; raises `InvalidFields`."""
    if limit is None:
        return PAGE_MAX
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= PAGE_MAX:
        text = f"must be a whole number from 1 to {PAGE_MAX}"
        raise InvalidFields({"limit": text}, in_path=frozenset({"limit"}))
    return int(limit)


def placed(order: Placement) -> dict[str, Any]:
    """The order as it was placed: PENDING, even if its status has changed since."""
    return {
        "productId": order.product_id,
        "qty": order.qty,
        "unitPrice": order.unit_price,
        "totalPrice": order.total_price,
        "orderId": order.order_id,
        "status": Status.PENDING,
    }


def order(order: Order | Row[Any]) -> dict[str, Any]:
    """The order as it is now."""
    shown = {
        "productId": order.product_id,
        "qty": order.qty,
        "unitPrice": order.unit_price,
        "totalPrice": order.total_price,
        "createdAt": instant(order.created_at),
        "orderId": order.order_id,
        "status": order.status,
    }
    return shown if order.reason is None else shown | {"reason": order.reason}


def product(product: Product | Row[Any]) -> dict[str, Any]:
    """The product with its stock."""
    return {
        "productId": product.product_id,
        "productName": product.product_name,
        "unitPrice": product.unit_price,
        "stock": product.stock,
        "createdAt": instant(product.created_at),
    }


def instant(value: datetime) -> str:
    """A timestamp in Spring's format: `2026-11-24T07:06:15.292+00:00`."""
    return value.isoformat(timespec="milliseconds")
