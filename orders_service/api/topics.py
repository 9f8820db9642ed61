"""The AsyncAPI document with the topics of this deployment, and what the page of events shows of it."""

import json
from typing import Any

from orders_service.api.assets import document
from orders_service.settings import Settings


def asyncapi(settings: Settings) -> dict[str, Any]:
    """The written document, with the topics and partitions of the settings."""
    found: dict[str, Any] = json.loads(document("asyncapi.json")[0])
    for name, channel in found["channels"].items():
        channel["address"] = getattr(settings, f"{name}_topic")
        channel["bindings"]["kafka"] |= {
            "topic": channel["address"],
            "partitions": settings.topic_partitions,
            "replicas": settings.topic_replication,
        }
    return found


def channels(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The channels with what the page shows of each: its sender, its reader and its events."""
    processes = {
        (each["channel"]["$ref"].rpartition("/")[2], each["action"]): name
        for name, each in found["operations"].items()
    }
    parts = found["components"]
    return [
        channel
        | {
            "name": name,
            "send": processes[name, "send"],
            "receive": processes[name, "receive"],
            "events": [
                parts["messages"][event]
                | {
                    "schema": parts["schemas"][event],
                    "example": example,
                    "value": _compact(example["payload"]),
                }
                for event in channel["messages"]
                for example in parts["messages"][event]["examples"][:1]
            ],
        }
        for name, channel in found["channels"].items()
    ]


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
