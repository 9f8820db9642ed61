"""`doctor` tells what is wrong, and nothing when nothing is; it changes nothing, and waits for nobody."""

import json
import re
import socket
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from lab import Lab
from orders_service.commands.doctor.command import main
from rig import waiting
from rig.databases import Databases
from rig.deployment import deployed
from tests.commands.doctor.kit import as_a_service, assert_only, doctor, on_real_servers, wrong
from tests.flow_kit import BERLIN, Flow

pytestmark = pytest.mark.usefixtures("own_port")


def test_nothing_is_wrong_where_nothing_is(place: Flow) -> None:
    place.place(qty=3)
    place.run()

    told = doctor(0)

    assert wrong(told) == []
    assert {"settings", "port", "broker", "topics", "group catalog-stock"} < told.keys()


@pytest.fixture
def patient_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor that expects no relay yet, however busy the machine is."""
    monkeypatch.setattr("orders_service.commands.doctor.databases.PENDING_SECONDS", 60.0)


@pytest.mark.usefixtures("patient_doctor")
def test_what_is_on_its_way_is_not_wrong(place: Flow) -> None:
    place.place()

    told = doctor(0)

    assert wrong(told) == []
    assert re.search(r"is \d s old$", told["orders outbox"]["seen"])
    assert re.search(r"has been PENDING for \d s$", told["oldest PENDING order"]["seen"])


@pytest.mark.usefixtures("patient_doctor")
def test_it_changes_nothing_and_waits_for_no_order(place: Flow) -> None:
    place.place()
    before = place.records()

    with place.databases.orders.begin() as connection:
        connection.execute(text("UPDATE orders SET version = version"))
        began = time.monotonic()
        # SQLite knows no rows, and has one writer at a time: whether one may write cannot be told meanwhile.
        is_sqlite = connection.dialect.name == "sqlite"
        told = doctor(5 if is_sqlite else 0)
        took = time.monotonic() - began

    assert took < waiting.seconds(15)
    assert wrong(told) == (["orders rights"] if is_sqlite else [])
    assert place.records() == before
    place.run()
    assert place.stock() == 99


def test_people_are_told_in_lines(place: Flow) -> None:
    place.sql("catalog", "UPDATE catalog SET stock = stock + 1")

    said = CliRunner().invoke(main, catch_exceptions=False).output.splitlines()

    assert said[0].startswith("✔ settings ")
    (line,) = [number for number, text in enumerate(said) if text.startswith("✘ ")]
    assert "CATALOG-001: 101 + 0 ≠ 100" in said[line]
    assert said[line + 1].lstrip().startswith("→ each delivery needs a row in the table supplies")


def test_without_anything_everything_is_away_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "new"))

    told = doctor(5)

    assert set(wrong(told)) == told.keys() - {"settings", "port", "authentication"}
    assert told["orders database"]["do"] == told["catalog database"]["do"] == "orders-service migrate"
    assert told["broker"]["do"] == "orders-service topics create"
    assert not (tmp_path / "new").exists()


def test_settings_that_cannot_be_used_are_told_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_WORKERS", "many")
    monkeypatch.setenv("BROKER", "rabbitmq")

    result = CliRunner().invoke(main, ["--json"], catch_exceptions=False)

    lines = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [(line["check"], line["seen"].split()[0]) for line in lines] == [
        ("settings", "API_WORKERS"),
        ("settings", "BROKER"),
    ]


def test_a_port_of_another_program_is_wrong(place: Flow, own_port: int) -> None:
    with socket.create_server(("127.0.0.1", own_port)):
        told = doctor(1)

    assert told["port"]["seen"] == f"another program listens on 127.0.0.1:{own_port}"
    assert told["port"]["do"] == f"stop it, or set API_PORT={own_port + 1}"


@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "nobody answers"])
def test_servers_that_are_away_are_told_soon_and_the_rest_is_looked_at(
    place: Flow, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not silent:
            server.close()
        monkeypatch.setenv("CATALOG_DATABASE_URL", f"mariadb+pymysql://c:s3cret@127.0.0.1:{port}/catalog")
        monkeypatch.setenv("BROKER", "kafka")
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        began = time.monotonic()
        told = doctor(5)
        took = time.monotonic() - began

    assert took < waiting.seconds(30)
    assert "127.0.0.1" in told["catalog database"]["seen"]
    assert "CATALOG_DATABASE_URL" in told["catalog database"]["do"]
    assert told["broker"]["level"] == "away"
    assert "KAFKA_" in told["broker"]["do"]
    assert told["catalog outbox"]["seen"] == "not checked: see catalog database"
    assert told["orders outbox"]["level"] == "fine"
    assert "s3cret" not in json.dumps(told)


@on_real_servers
def test_a_healthy_deployment_of_all_processes_is_all_well(
    lab: Lab, databases: Databases, tmp_path: Path
) -> None:
    with deployed(lab, as_a_service(lab, databases), tmp_path) as deployment:
        deployment.place("kim", BERLIN, 2)
        deployment.await_answers("kim")

        told = {line["check"]: line for line in json.loads(deployment.run("doctor", "--json"))}

    assert_only(
        told, "replication", "warning", "^replication is 1, min.insync.replicas is 1; ", "three brokers"
    )
    assert told["port"]["seen"] == f"the API answers on 127.0.0.1:{deployment.port}"
    (group,) = (line for name, line in told.items() if name.startswith("group stock-"))
    assert group["seen"].endswith(", 1 consumer")
    assert "MariaDB" in told["orders database"]["seen"]
