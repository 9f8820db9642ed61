"""Answers that everybody who looks at the page shares: they are made once, however many tabs ask for them."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, current_app, jsonify

from orders_service.api.serving.shared_answer import SharedAnswer

PATIENCE_SECONDS = 8.0

Json = dict[str, Any]
View = tuple[Callable[[], Json], Json, float]
"""How an answer is made, the one if that takes too long, and for how many seconds it is kept."""


def init_app(app: Flask, views: Mapping[str, View]) -> None:
    """Prepare the *views*, by name."""
    app.extensions["views"] = {name: _shared(app, *view) for name, view in views.items()}


def show(name: str) -> Response:
    """The answer of the view *name*."""
    return jsonify(_views()[name].answer())


def forget() -> None:
    """Make all answers anew, because an operator has changed something."""
    for view in _views().values():
        view.forget()


def _shared(app: Flask, make: Callable[[], Json], late: Json, seconds: float) -> SharedAnswer[Json]:
    def ask() -> Json:
        with app.app_context():
            return make()

    return SharedAnswer(ask, late=lambda: late, patience=PATIENCE_SECONDS, fresh=seconds)


def _views() -> Mapping[str, SharedAnswer[Json]]:
    found: Mapping[str, SharedAnswer[Json]] = current_app.extensions["views"]
    return found
