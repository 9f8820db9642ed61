"""Text from records, brokers and people is shown as text, wherever it stands."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import Open
from tests.ui.screen import Data

pytestmark = pytest.mark.browser

AT = "2026-11-29T09:30:00.125000+00:00"
PLACE = "example-catalog-topic-4@1198"


def hostile(name: str) -> str:
    return f"<img src=x onerror=alert(1)>{name}"


RECORD = {
    "key": hostile("key"),
    "headers": [[hostile("header"), hostile("content")]],
    "value": hostile("value"),
}
GROUP = {"reason": hostile("reason"), "error": hostile("error"), "group": hostile("group")}
LETTER = GROUP | {
    "recordId": PLACE,
    "detail": hostile("detail"),
    "at": AT,
    "state": "hold",
    "by": hostile("by"),
}
HELD = LETTER | {"stateAt": AT, "note": hostile("note"), "record": RECORD, "orderId": None}
GROUPS = [GROUP | {"count": 2, "onHold": 1, "firstAt": AT, "lastAt": AT, "sample": PLACE}]
EVENT = {"id": hostile("id"), "type": hostile("type"), "orderId": None, "topic": hostile("topic"), "at": AT}
LANE = {
    "topic": hostile("lane"),
    "pending": 1,
    "oldestSeconds": 1,
    "owner": hostile("owner"),
    "leaseSeconds": 1,
}
PRODUCT = {
    "productId": hostile("id"),
    "productName": hostile("product"),
    "unitPrice": 1,
    "stock": 1,
    "reserved": 0,
}
SUPPLY = {"productId": hostile("supplied"), "qty": 1, "note": hostile("note"), "at": AT}
ANSWERS: dict[str, dict[str, Any]] = {
    f"/ui/dead-letters/{PLACE}": {
        "**/admin/dead-letters/groups": {"groups": GROUPS, "waiting": 1, "onHold": 1, "more": False},
        "**/admin/dead-letters/example-catalog-*": HELD,
        "**/admin/dead-letters?*": [LETTER],
    },
    "/ui/outbox": {
        "**/admin/outbox": {
            "databases": [
                {"name": "orders", "lanes": [LANE], "setAside": [EVENT | {"error": hostile("error")}]}
            ]
        },
        "**/admin/kafka": {
            "topics": [{"name": hostile("topic"), "partitions": [], "lag": {hostile("consumer"): 1}}],
            "groups": [{"name": hostile("group"), "members": [hostile("member")], "lag": 1}],
            "connectors": [
                {"name": hostile("connector"), "state": hostile("state"), "tasks": [hostile("task")]}
            ],
        },
        "**/admin/kafka/*/records?*": [RECORD | {"place": hostile("place"), "at": AT}],
    },
    "/ui/stock": {
        "**/admin/stock": {
            "products": [PRODUCT | {"supplied": 1, "addsUp": True, "surplus": 0}],
            "sum": {"stock": 1, "reserved": 0, "supplied": 1, "addsUp": True},
            "supplies": [SUPPLY],
        },
    },
}


def names_of(value: object) -> set[str]:
    """The names of all hostile texts in an answer."""
    return {each.partition('"')[0] for each in json.dumps(value).split("<img src=x onerror=alert(1)>")[1:]}


@pytest.mark.parametrize("path", ANSWERS)
def test_hostile_text_is_text(open_screen: Open, path: str) -> None:
    answers = {pattern: Data(answer) for pattern, answer in ANSWERS[path].items()}

    screen = open_screen(path, answers=answers)
    for folded in screen.page.locator("summary").all():
        folded.click() if folded.is_visible() else None

    for name in names_of(ANSWERS[path]):
        expect(screen.page.locator("main").get_by_text(hostile(name)).first).to_be_attached()
    assert screen.page.locator("main img").count() == 0
