"""Pictures of the road, as `/admin/road` tells them."""

from typing import Any

NAMES = ("post", "orders", "kafka", "catalog", "answer")


def station(name: str, **changed: Any) -> dict[str, Any]:
    """A station that is well."""
    return {
        "name": name,
        "title": name.capitalize(),
        "about": "",
        "state": "well",
        "perSecond": 3.2,
        "waiting": {"count": 0, "of": "records"},
        "oldestSeconds": None,
        "heldBy": "shop-1:412",
        "heldDetail": "for 4.1 s more",
        "lastError": None,
        "problem": None,
    } | changed


def picture(*, headline: dict[str, Any] | None = None, **stations: dict[str, Any]) -> dict[str, Any]:
    """A picture in which orders flow; *stations* change a station by its name."""
    words = {
        "level": "well",
        "title": "Orders flow",
        "detail": "3.2 orders a second come in.",
        "command": None,
        "advice": None,
    }
    counts = {"confirmed": 3, "rejected": 1, "cancelled": 0, "pending": 0}
    return {
        "at": "2026-11-28T14:02:15.000000+00:00",
        "service": {
            "version": "0.1.0",
            "address": "127.0.0.1:8000",
            "broker": "kafka",
            "database": "MariaDB",
            "eventsVia": "relay",
            "practice": False,
            "authMode": "none",
        },
        "headline": words | (headline or {}),
        "stations": [station(name, **stations.get(name, {})) for name in NAMES],
        "answers": {"medianMs": 9.1, "p99Ms": 30.2, "measured": 200, "secondsSinceLast": 0.4, "waiting": 0},
        "recent": {
            "seconds": 30,
            "placed": 120,
            **{name: 30 * count for name, count in counts.items()},
            "bySecond": [{"at": "2026-11-28T14:02:15.000000+00:00"} | counts] * 30,
        },
        "stock": {
            "stock": 4174,
            "reserved": 826,
            "supplied": 5000,
            "products": 12,
            "wrongProducts": 0,
            "addsUp": True,
            "checkedAt": "2026-11-28T14:02:15.000000+00:00",
        },
        "deadLetters": {"waiting": 8, "onHold": 2},
    }


def in_trouble(error: str = "unreadable", held_by: str = "nobody") -> dict[str, Any]:
    """A picture in which the catalog is stopped."""
    stopped = {
        "state": "stopped",
        "waiting": {"count": 38, "of": "records"},
        "oldestSeconds": 12.1,
        "heldBy": held_by,
        "heldDetail": None,
        "lastError": {"at": "2026-11-28T13:41:07.000000+00:00", "text": error, "path": "/ui/dead-letters"},
    }
    headline = {
        "level": "trouble",
        "title": "38 orders wait for the catalog",
        "detail": "The consumer group catalog-stock has had no consumer for 12 s. Orders are still"
        " taken and stay PENDING; nothing is lost. They are answered in order when a consumer is back.",
        "command": "orders-service stock-consumer",
    }
    return picture(headline=headline, catalog=stopped)
