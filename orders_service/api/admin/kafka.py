"""The topics with their groups, and the newest records of a topic: `/admin/kafka`."""

import threading

from flask import current_app, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from orders_service.api import lists
from orders_service.api.admin.blueprint import admin
from orders_service.api.problems import later, problem
from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.events.brokers.port import BrokerError
from orders_service.operations.road import topics
from orders_service.operations.road.look import sentence
from orders_service.printable import safe
from orders_service.settings import Settings

RECORDS, RECORDS_MAX = 20, 50
PATIENCE_SECONDS = 4.0
READERS = threading.BoundedSemaphore(2)  # In each process: a reader takes some megabytes.


@admin.get("/kafka")
def show_kafka() -> ResponseReturnValue:
    """The topics of the service, their partitions, and how far each group has read them."""
    shared: SharedAnswer[topics.Json] = current_app.extensions["topics"]
    return jsonify(shared.answer())


@admin.get("/kafka/<topic>/records")
def list_records(topic: str) -> ResponseReturnValue:
    """The newest records of a topic of the service, as text."""
    limit = lists.load({"limit": lists.up_to(RECORDS_MAX)}).get("limit", RECORDS)
    settings: Settings = current_app.config["SETTINGS"]
    if topic not in topics.names(settings):
        raise NotFound("The service has no such topic. GET /admin/kafka lists its topics.")
    if not READERS.acquire(blocking=False):
        return later(problem("overloaded", "Others read records now. Repeat the request in a moment."))
    try:
        return jsonify(topics.records_view(settings, topic, limit))
    except BrokerError as error:
        return later(problem("broker-unavailable", sentence(safe(str(error)))))
    finally:
        READERS.release()


def shared_topics(settings: Settings) -> SharedAnswer[topics.Json]:
    """The answer of `/admin/kafka`, made at most once a second for all who ask."""
    late: topics.Json = {
        "topics": [],
        "groups": [],
        "connectors": None,
        "connectorsProblem": topics.CONNECTORS,
        "problem": f"The broker did not answer within {PATIENCE_SECONDS:.0f} s.",
    }
    return SharedAnswer(lambda: topics.topics_view(settings), late=lambda: late, patience=PATIENCE_SECONDS)
