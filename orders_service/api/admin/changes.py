"""The shared parts of all changes under `/admin`: their JSON, operator, idempotency key and answer."""

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, jsonify, request
from marshmallow import Schema, ValidationError, fields

from orders_service.api.admin import views
from orders_service.api.body import read_object
from orders_service.api.errors import InvalidFields
from orders_service.api.idempotency_keys import idempotency_key
from orders_service.api.identity import principal
from orders_service.api.requests import FIELDS_MAX
from orders_service.operations.actions import Done, Request
from orders_service.settings import Settings

NOBODY = "the page"  # The author of an action with AUTH_MODE=none.
UNKNOWN = "is not a field of this request"


class Change(Schema):
    """The body of a change. Fields that it does not name are refused, because they would have no effect."""

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012


class Flag(fields.Field[bool]):
    """`true` or `false`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


def load(schema: Change) -> dict[str, Any]:
    """The validated fields of the request's body; raises `InvalidFields` for those that are wrong."""
    members = read_object(request)
    if len(members) > FIELDS_MAX:
        raise InvalidFields(dict.fromkeys(members, UNKNOWN))
    try:
        return dict(schema.load(members))
    except ValidationError as error:
        raise InvalidFields({name: texts[0] for name, texts in _messages(error).items()}) from error


def action(name: str, on: str, content: Mapping[str, Any]) -> Request:
    """The action of the current request, for the record."""
    return Request(action=name, on=on, by=operator(), key=idempotency_key(), content=_plain(content))


def operator() -> str:
    """The author of the current request."""
    client = principal.of_request()
    return NOBODY if client is None else client.name


def answer(done: Done) -> Response:
    """The answer to a change."""
    views.forget()
    response = jsonify(done.answer)
    if done.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def settings() -> Settings:
    """The settings of the application."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def _messages(error: ValidationError) -> dict[str, list[str]]:
    assert isinstance(error.messages, dict)
    return error.messages


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, bool | int) else str(value) for name, value in content.items()}
