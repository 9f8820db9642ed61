"""The AsyncAPI document: topics and events. The service fills in its own topics and partitions."""

from typing import Any

from orders_service import __version__
from orders_service.contract.events import Event
from orders_service.contract.topics import Topics
from orders_service.contract.wire import CONTENT_TYPE, TRACEPARENT
from orders_service.processes import CONSUMERS, RELAYS
from orders_service.settings import FIELDS
from rig.documents import schemas
from rig.documents.recording import Recording

Object = dict[str, Any]

ABOUT = """\
Records in Kafka. The value of a record is flat JSON, and its headers are those of CloudEvents 1.0 (binary
mode). A consumer may receive the same event more than once: `ce_id` is then the same. The first deliveries of
one order's events arrive in the sequence in which they happened. Within a version of an event, such as `v1`,
members are only added. Server addresses are not part of this document: it is open to every client of the API.
"""
CHANNELS = {
    "catalog": "Orders that were placed or cancelled, for the catalog. The key is the product's id, so the"
    " orders of one product are in one partition, and their sequence decides who gets the last piece.",
    "stock": "The catalog's answers, for the orders service. The key is the order's id.",
}
SETTINGS = {"catalog": "CATALOG_TOPIC", "stock": "STOCK_TOPIC"}
SOURCES = {"catalog": "/order-service", "stock": "/catalog-service"}
KEYS = {"catalog": "The product's id.", "stock": "The order's id."}


def asyncapi(recording: Recording) -> Object:
    """The whole document, with the default topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orders service",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {name: _channel(name) for name in CHANNELS},
        "operations": {name: each for channel in CHANNELS for name, each in _operations(channel).items()},
        "components": {
            "messages": {event.type: _message(event, recording) for event in schemas.EVENTS},
            "schemas": {
                name: {key: value for key, value in schema.items() if not key.startswith("$")}
                for name, schema in schemas.schemas().items()
            },
        },
    }


def _channel(name: str) -> Object:
    topic = getattr(Topics(), name)
    return {
        "address": topic,
        "title": SETTINGS[name],
        "description": CHANNELS[name],
        "messages": {
            event.type: {"$ref": f"#/components/messages/{event.type}"} for event in _events_in(name)
        },
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": FIELDS["topic_partitions"].default,
                "replicas": FIELDS["topic_replication"].default,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(channel: str) -> Object:
    """The process that sends to a channel, and the one that reads it."""
    setting = SETTINGS[channel]
    sender = next(relay for relay in RELAYS if setting in relay.topics)
    reader = next(consumer for consumer in CONSUMERS if consumer.topic.name == setting)
    messages = [{"$ref": f"#/channels/{channel}/messages/{event.type}"} for event in _events_in(channel)]
    return {
        process.command: {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": process.about,
            "messages": messages,
        }
        for process, action in ((sender, "send"), (reader, "receive"))
    }


def _message(event: type[Event], recording: Recording) -> Object:
    record = recording.events[event.type]
    return {
        "name": event.type,
        "title": event.type,
        "summary": (event.__doc__ or "").partition("\n")[0],
        "contentType": CONTENT_TYPE,
        "headers": _headers(event),
        "payload": {"$ref": f"#/components/schemas/{event.type}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": KEYS[event.channel]},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"headers": record["headers"], "payload": record["payload"], "summary": record["key"]}],
    }


def _headers(event: type[Event]) -> Object:
    """The schema of the headers that `contract/wire.py` writes."""
    texts: dict[str, Object] = {
        "ce_id": {"format": "uuid", "description": "Derived from the type and the order's id."},
        "ce_source": {"const": SOURCES[event.channel], "description": "The service that sent the event."},
        "ce_specversion": {"const": "1.0", "description": "The version of CloudEvents."},
        "ce_type": {"const": event.type, "description": "The type of the event, with its version."},
        "ce_time": {"format": "date-time", "description": "The time of the event."},
        "ce_subject": {"description": "The order's id."},
        "content-type": {"const": CONTENT_TYPE, "description": "The type of the value."},
        "traceparent": {
            "pattern": f"^{TRACEPARENT.pattern}$",
            "description": "W3C Trace Context, if the request that caused the event had it.",
        },
    }
    return {
        "type": "object",
        "properties": {name: {"type": "string"} | each for name, each in texts.items()},
        "required": [name for name in texts if name != "traceparent"],
    }


def _events_in(channel: str) -> list[type[Event]]:
    return [event for event in schemas.EVENTS if event.channel == channel]
