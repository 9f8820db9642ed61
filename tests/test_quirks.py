"""The private parts of libraries stand in one file each, which was checked against the installed version."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from orders_service.api import database
from orders_service.api.serving import application, worker
from orders_service.database import one_trip
from orders_service.events.brokers.kafka import quirks
from orders_service.metrics import shared

PACKAGE = Path(quirks.__file__).parents[3]
CHECKED = {
    "kafka-python": quirks.CHECKED,
    "PyMySQL": one_trip.CHECKED,
    "gunicorn": worker.CHECKED,
    "Flask": application.CHECKED,
    "Werkzeug": application.CHECKED_WERKZEUG,
    "Flask-SQLAlchemy": database.CHECKED,
    "prometheus-client": shared.CHECKED,
}


@pytest.mark.parametrize("library", CHECKED)
def test_the_installed_version_is_the_one_that_was_checked(library: str) -> None:
    assert version(library) == CHECKED[library], f"look at what is private of {library}, then change CHECKED"


def test_nothing_private_of_kafka_python_is_used_elsewhere() -> None:
    private = re.compile(r"(?:consumer|producer|client)\._[a-z]")

    users = {path.name for path in PACKAGE.rglob("*.py") if private.search(path.read_text())}

    assert users <= {"quirks.py"}
