"""The fields of requests: the JSON of an order, ids in paths, query parameters."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from orders_service.api.errors import InvalidFields
from orders_service.contract.fields import UNPRINTABLE
from orders_service.contract.limits import (
    PRODUCT_ID_MAX,
    QTY_MAX,
    TOTAL_PRICE_MAX,
    UNIT_PRICE_MAX,
    USER_ID_MAX,
)

BATCH_MAX = 100  # Orders. With the longest ids and keys in ASCII they take 50 KB; a body may have 64 KiB.
FIELDS_MAX = 50  # A body with more fields is refused without a check of each field.
KEY_TEXT = re.compile(r"[\x21\x23-\x7e]{1,255}")
DOT_SEGMENTS = (".", "..")  # A client removes them from a URL before it sends it (RFC 3986, 5.2.4).


class WholeNumber(fields.Field[int]):
    """A JSON integer from *least* to *most*: not `"2"`, `true`, `1.0` or `null`."""

    default_error_messages = {"required": "is missing", "null": "must not be null"}  # noqa: RUF012

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**{"required": True} | options)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int or not self._least <= value <= self._most:
            raise ValidationError(f"must be an integer from {self._least} to {self._most}")
        return value


class KeyText(fields.Field[str]):
    """A JSON string that can be a key: 1 to *most* printable characters, not only blanks."""

    default_error_messages = {"required": "is missing", "null": "must not be null"}  # noqa: RUF012

    def __init__(self, most: int, **options: Any) -> None:
        super().__init__(**{"required": True} | options)
        self._most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > self._most:
            raise ValidationError(f"must be a string of 1 to {self._most} characters")
        if UNPRINTABLE.search(value):
            raise ValidationError("must not contain control characters or unpaired surrogates")
        if value in DOT_SEGMENTS:
            raise ValidationError("must not be . or .., because clients remove them from URLs")
        return value


class OrderRequest(Schema):
    """The body of `POST …/orders`. Other fields are refused, because they would have no effect."""

    error_messages = {"unknown": "is not a field of an order"}  # noqa: RUF012

    product_id = KeyText(PRODUCT_ID_MAX, data_key="productId")
    qty = WholeNumber(1, QTY_MAX)
    unit_price = WholeNumber(0, UNIT_PRICE_MAX, data_key="unitPrice")

    @validates_schema
    def total_fits(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an order whose total price does not fit in 32 bits."""
        if data["qty"] * data["unit_price"] > TOTAL_PRICE_MAX:
            raise ValidationError(f"times unitPrice must be at most {TOTAL_PRICE_MAX}", "qty")


class IdempotencyKey(fields.Field[str]):
    """An idempotency key in a body: as in the header Idempotency-Key, without quotes."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str) or not KEY_TEXT.fullmatch(value):
            raise ValidationError("must be 1 to 255 visible ASCII characters, without quotes")
        return value


class OrderOfBatch(OrderRequest):
    """An order in the body of `POST …/orders/batch`."""

    idempotency_key = IdempotencyKey(data_key="idempotencyKey", error_messages={"null": "must not be null"})


ORDER_REQUEST, ORDER_OF_BATCH = OrderRequest(), OrderOfBatch()
USER_ID = KeyText(USER_ID_MAX)


def load_order(
    members: Mapping[str, Any], schema: OrderRequest = ORDER_REQUEST, *, pointer: str = ""
) -> dict[str, Any]:
    """The validated fields of an order; raises `InvalidFields` for those that are wrong.

    *pointer* is the JSON Pointer of the order in the body.
    """
    if len(members) > FIELDS_MAX:
        known = {field.data_key or name for name, field in schema.fields.items()}
        unknown = [name for name in members if name not in known]
        raise InvalidFields(dict.fromkeys(unknown, OrderRequest.error_messages["unknown"]), pointer=pointer)
    try:
        return dict(schema.load(members))
    except ValidationError as error:
        assert isinstance(error.messages, dict)  # noqa: PT017
        wrong = {name: texts[0] for name, texts in error.messages.items()}
        raise InvalidFields(wrong, pointer=pointer) from error


def load_batch(members: Mapping[str, Any], *, most: int = BATCH_MAX) -> list[Any]:
    """The orders of a batch, at most *most* and not yet validated; raises `InvalidFields`."""
    if unknown := [name for name in members if name != "orders"]:
        raise InvalidFields(dict.fromkeys(unknown, "is not a field of a batch"))
    orders = members.get("orders")
    if not isinstance(orders, list) or not 1 <= len(orders) <= most:
        raise InvalidFields({"orders": f"must be a list of 1 to {most} orders"})
    return orders


def require_user_id(user_id: str) -> str:
    """The validated user id of a path; raises `InvalidFields`."""
    try:
        return USER_ID.deserialize(user_id) or ""
    except ValidationError as error:
        raise InvalidFields({"userId": error.messages[0]}, in_body=False) from error
