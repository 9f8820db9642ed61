"""The documents promise all that the last release promised: they only grow."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from rig.documents.__main__ import FOLDER, ROOT
from rig.documents.compatibility import lost

RELEASED = ROOT / "tests/contract/released"
FILES = sorted(str(path.relative_to(RELEASED)) for path in RELEASED.rglob("*.json"))
Document = dict[str, Any]
PLACE = "/order-service/{userId}/orders"


def loaded(name: str) -> Document:
    found: Document = json.loads((RELEASED / name).read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_document_only_grows(name: str) -> None:
    now = json.loads((ROOT / FOLDER / name).read_text())

    assert lost(loaded(name), now, sent=name.startswith("schemas/")) == []


def test_every_document_is_compared() -> None:
    assert "openapi.json" in FILES
    assert "schemas/order.placed.v1.json" in FILES


def remove_a_route(document: Document) -> None:
    del document["paths"][PLACE]["get"]


def remove_a_member(document: Document) -> None:
    del document["components"]["schemas"]["Order"]["properties"]["reason"]


def make_a_member_optional(document: Document) -> None:
    document["components"]["schemas"]["Order"]["required"].remove("status")


def require_a_member(document: Document) -> None:
    document["components"]["schemas"]["OrderRequest"]["required"].append("note")


def narrow_a_limit(document: Document) -> None:
    document["components"]["schemas"]["OrderRequest"]["properties"]["qty"]["maximum"] = 100


def change_a_type(document: Document) -> None:
    document["components"]["schemas"]["Order"]["properties"]["qty"]["type"] = "string"


def remove_an_answer(document: Document) -> None:
    del document["paths"][PLACE]["post"]["responses"]["422"]


def remove_a_parameter(document: Document) -> None:
    document["paths"][PLACE]["get"]["parameters"].pop()


def require_a_parameter(document: Document) -> None:
    document["components"]["parameters"]["header.X"] = {"name": "X", "in": "header", "required": True}
    document["paths"][PLACE]["get"]["parameters"].append({"$ref": "#/components/parameters/header.X"})


def remove_a_problem(document: Document) -> None:
    del document["components"]["responses"]["order-rejected"]


LOSSES = [
    *(remove_a_route, remove_a_member, make_a_member_optional, require_a_member, narrow_a_limit),
    *(change_a_type, remove_an_answer, remove_a_parameter, require_a_parameter, remove_a_problem),
]


@pytest.mark.parametrize("change", LOSSES, ids=lambda change: change.__name__)
def test_a_loss_is_found(change: Callable[[Document], None]) -> None:
    released = loaded("openapi.json")
    now = copy.deepcopy(released)
    change(now)

    assert lost(released, now)


def add_a_route(document: Document) -> None:
    document["paths"]["/new"] = document["paths"][PLACE]


def add_a_member(document: Document) -> None:
    document["components"]["schemas"]["Order"]["properties"]["note"] = {"type": "string"}
    document["components"]["schemas"]["Order"]["required"].append("note")


def add_an_optional_member(document: Document) -> None:
    document["components"]["schemas"]["OrderRequest"]["properties"]["note"] = {"type": "string"}


def widen_a_limit(document: Document) -> None:
    document["components"]["schemas"]["OrderRequest"]["properties"]["qty"]["maximum"] += 1


def change_a_text(document: Document) -> None:
    document["info"]["version"] = "9"
    document["paths"][PLACE]["post"]["description"] = "Other words."


ADDITIONS = [add_a_route, add_a_member, add_an_optional_member, widen_a_limit, change_a_text]


@pytest.mark.parametrize("change", ADDITIONS, ids=lambda change: change.__name__)
def test_an_addition_is_allowed(change: Callable[[Document], None]) -> None:
    released = loaded("openapi.json")
    now = copy.deepcopy(released)
    change(now)

    assert lost(released, now) == []


def test_a_member_that_an_event_requires_now_is_a_loss() -> None:
    released = loaded("schemas/order.placed.v1.json")

    now = released | {"required": [*released["required"], "userId"]}

    assert lost(released, now, sent=True) == ["/required: userId is required now"]
