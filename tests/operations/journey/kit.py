"""What the tests of journeys share."""

from typing import Any

from tests.flow_kit import Flow

CONFIRMED = ["placed", "recorded", "in-log", "reserved", "answer-recorded", "answer-in-log", "confirmed"]


def journey_of(flow: Flow, order_id: str) -> dict[str, Any]:
    """The journey of an order, as HTTP shows it."""
    response = flow.api.get(f"/admin/orders/{order_id}/journey")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def kinds(journey: dict[str, Any]) -> list[str]:
    """The kinds of its entries."""
    return [entry["kind"] for entry in journey["entries"]]


def one(journey: dict[str, Any], kind: str) -> dict[str, Any]:
    """Its only entry of this kind."""
    (found,) = (entry for entry in journey["entries"] if entry["kind"] == kind)
    entry: dict[str, Any] = found
    return entry
