"""The limits in the documents are those of the code that checks requests and records."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import ValidationError

from orders_service.api.errors import InvalidFields
from orders_service.api.requests import KeyText, load_order
from orders_service.contract.errors import Unreadable
from orders_service.contract.events import InvalidOrder
from orders_service.contract.reading import read_event
from rig.documents import schemas
from rig.documents.components import request_schema
from rig.documents.parameters import key_text
from tests.api.kit import ORDER

REQUEST = request_schema()
EVENTS = schemas.schemas()
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", " ", ".", "..", "a."]
)


def accepts(schema: Any, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def is_loaded(order: Any) -> bool:
    try:
        load_order(order)
    except InvalidFields:
        return False
    return True


def bounds(schema: Any) -> list[Any]:
    """Values at the bounds of a member's schema, and beyond them."""
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return [least - 1, least, most, most + 1, "1", 1.5, None, True]
    return ["", "x", "x" * schema["maxLength"], "x" * (schema["maxLength"] + 1), "a\nb", 1, None]


@pytest.mark.parametrize("name", REQUEST["properties"])
def test_a_request_has_the_limits_of_its_schema(name: str) -> None:
    for value in bounds(REQUEST["properties"][name]):
        order = ORDER | {"qty": 1} | {name: value}

        assert accepts(REQUEST, order) == is_loaded(order), value


def test_a_request_has_the_members_of_its_schema() -> None:
    assert not accepts(REQUEST, ORDER | {"note": "x"})
    for name in ORDER:
        rest = {other: value for other, value in ORDER.items() if other != name}
        assert not accepts(REQUEST, rest)
        assert not is_loaded(rest)


@given(TEXTS)
def test_a_text_that_fits_its_schema_can_be_a_key(text: str) -> None:
    try:
        KeyText(5).deserialize(text)
        is_key = True
    except ValidationError:
        is_key = False

    if text.endswith("\n"):
        return  # In Python, unlike in JSON Schema, `$` also matches before it.
    # The schema refuses every text of dots and spaces; the code refuses only some of them.
    if text.strip(". \t\u00a0") or not is_key:
        assert accepts(key_text(5), text) == is_key or not re.search(r"[^\s.]", text)


@pytest.mark.parametrize("type_", EVENTS)
def test_an_event_has_the_limits_of_its_schema(type_: str) -> None:
    schema = EVENTS[type_]
    sent = {name: 1 if each["type"] == "integer" else "x" for name, each in schema["properties"].items()}
    if type_ == "order.cancelled.v1":
        sent["qty"] = -1
    assert accepts(schema, sent)

    for name in schema["required"]:
        for value in bounds(schema["properties"][name]):
            event = sent | {name: value, "totalPrice": None, "unitPrice": None}
            if type_.startswith("stock"):
                event = sent | {name: value}
            event = {key: each for key, each in event.items() if each is not None or key == name}

            assert is_read(type_, event) or not accepts(schema, event), (name, value)
            assert not is_read(type_, event) or accepts(schema, event) or is_rejected_zero(type_, event)


def is_rejected_zero(type_: str, event: Any) -> bool:
    """A reader accepts the `qty` 0 in an answer; the service never sends it."""
    return type_ == "stock.rejected.v1" and event["qty"] == 0


def is_read(type_: str, event: Any) -> bool:
    """Whether a consumer reads *event* as valid."""
    try:
        found = read_event(type_, json.dumps(event).encode())
    except Unreadable:
        return False
    return found is not None and not isinstance(found, InvalidOrder)
