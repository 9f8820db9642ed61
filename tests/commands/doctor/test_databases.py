"""What `doctor` tells of the databases, and of the orders and events in them."""

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy.engine import make_url

from lab import Lab, Ports
from orders_service.commands.doctor.databases import DatabaseChecks
from orders_service.commands.doctor.finding import Level
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Outgoing
from tests.commands.doctor.kit import (
    STUCK,
    as_a_service,
    as_root,
    assert_only,
    doctor,
    on_real_servers,
    wrong,
)
from tests.flow_kit import BERLIN, Flow

pytestmark = pytest.mark.usefixtures("own_port")


def test_a_stock_that_does_not_add_up_is_wrong(place: Flow) -> None:
    place.place(qty=3)
    place.run()
    place.sql("catalog", f"UPDATE catalog SET stock = stock - 1 WHERE product_id = '{BERLIN}'")

    assert_only(
        doctor(1), "stock + Σ reserved = Σ supplied", "wrong", "^CATALOG-001: 96 . 3 ≠ 100$", "supplies"
    )


def test_an_order_without_an_answer_is_wrong(place: Flow) -> None:
    order = place.place()
    place.run()
    place.sql(
        "orders",
        f"UPDATE orders SET status = 'PENDING', created_at = '{_from_now(-STUCK)}'",
    )

    told = doctor(1)

    assert_only(
        told, "oldest PENDING order", "wrong", f"^{order} has been PENDING for 30. s$", "outbox resend"
    )


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_an_outbox_that_nobody_relays_is_wrong(place: Flow, name: str) -> None:
    _record(place, name, STUCK)

    told = doctor(1)

    assert_only(told, f"{name} outbox", "wrong", "is 30. s old, and no relay sends", f"{name}-relay")


def test_an_outbox_that_nobody_relays_is_a_warning_as_soon_as_the_road_says_so(place: Flow) -> None:
    _record(place, "orders", timedelta(seconds=10))

    told = doctor(0)

    assert_only(told, "orders outbox", "warning", "and no relay sends the events", "orders-relay")


def test_a_relay_that_holds_a_lane_and_relays_nothing_is_named(place: Flow) -> None:
    _record(place, "orders", STUCK)
    place.sql(
        "orders",
        f"INSERT INTO leases VALUES ('example-catalog-topic', 'host:7:ab', '{_from_now(STUCK)}')",
    )

    assert_only(doctor(1), "orders outbox", "wrong", "only host:7:ab may send it", "log")


def test_what_waits_for_a_relay_beside_debezium_is_wrong(
    place: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record(place, "orders", STUCK)
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    monkeypatch.setenv("CONNECT_URL", f"http://127.0.0.1:{Ports.free().connect}")

    told = doctor(5)

    assert told["orders outbox"]["seen"].endswith("and with EVENTS_VIA=cdc no relay sends it")
    assert told["outbox-source"]["seen"].startswith("Kafka Connect does not answer at http://127.0.0.1:")


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_an_event_that_was_set_aside_is_wrong(place: Flow, name: str) -> None:
    place.place()
    place.run()
    place.sql(name, "UPDATE outbox SET error = 'too large'")

    told = doctor(1)

    assert_only(told, f"{name} set aside", "wrong", "permanently refused 1", f"--database {name} --set-aside")


def test_a_dead_letter_is_wrong_until_it_is_resolved(place: Flow) -> None:
    place.send([Outgoing("example-catalog-topic", b"k", b"nonsense")])
    place.run()

    told = doctor(1)
    place.sql("catalog", "UPDATE dead_letters SET resolution = 'discarded'")

    assert_only(told, "catalog dead letters", "wrong", "^1 unresolved", "dead-letters list")
    assert wrong(doctor(0)) == []


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_a_database_that_was_never_migrated_is_wrong(place: Flow, name: str) -> None:
    place.sql(name, "DROP TABLE alembic_version")

    told = doctor(1)

    assert told[f"{name} migrations"]["seen"] == "never migrated"
    assert told[f"{name} migrations"]["do"] == "orders-service migrate"
    assert told[f"{name} outbox"]["seen"] == f"not checked: see {name} migrations"
    assert {line.split()[0] for line in wrong(told)} <= {name, "oldest", "stock"}


def test_a_database_that_is_newer_is_told(place: Flow) -> None:
    place.sql("orders", "UPDATE alembic_version SET version_num = 'orders_9999'")

    assert_only(
        doctor(0),
        "orders migrations",
        "warning",
        "orders_9999, which this version of the service does",
        "newer",
    )


@pytest.mark.parametrize(("ahead", "word"), [(5, "behind"), (-5, "ahead")])
def test_clocks_that_differ_are_told(flow: Flow, ahead: int, word: str) -> None:
    examined = DatabaseChecks("orders", flow.settings, clock=lambda: utc_now() + timedelta(seconds=ahead))

    found = examined.time()
    examined.close()

    assert (found.level, found.seen.split()[-1]) == (Level.WARNING, word)
    assert re.search(r"is [45]\.\d s", found.seen)


def _record(place: Flow, name: str, age: timedelta) -> None:
    """An event of this *age* that waits, of an order that is answered."""
    place.place()
    place.run()
    place.sql(
        name,
        f"UPDATE outbox SET lane = topic, published_at = NULL, created_at = '{_from_now(-age)}'",
    )
    place.sql(name, "DELETE FROM leases")


def _from_now(time: timedelta) -> str:
    """As both databases keep it."""
    return (utc_now() + time).strftime("%Y-%m-%d %H:%M:%S.%f")


@on_real_servers
@pytest.mark.parametrize(
    ("setting", "bad", "good"),
    [("innodb_flush_log_at_trx_commit", "2", "1"), ("sync_binlog", "0", "1")],
)
def test_a_database_that_forgets_in_a_power_cut_is_wrong(
    place: Flow, lab: Lab, setting: str, bad: str, good: str
) -> None:
    with as_root(lab, f"SET GLOBAL {setting} = {bad}", f"SET GLOBAL {setting} = {good}"):
        told = doctor(1)

    assert wrong(told) == ["orders durability", "catalog durability"]
    assert told["orders durability"]["seen"] == f"{setting}={bad}"
    assert f"{setting}={good}" in told["orders durability"]["do"]


@on_real_servers
def test_a_packet_that_is_too_small_is_wrong(place: Flow, lab: Lab) -> None:
    small, usual = (f"SET GLOBAL max_allowed_packet = {mib * 1_048_576}" for mib in (1, 16))
    with as_root(lab, small, usual):
        told = doctor(1)

    assert wrong(told) == ["orders packet", "catalog packet"]
    assert "max_allowed_packet=16777216" in told["orders packet"]["do"]


@on_real_servers
def test_a_binlog_that_debezium_cannot_use_is_wrong(
    place: Flow, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    monkeypatch.setenv("CONNECT_URL", lab.connect.url)
    with as_root(lab, "SET GLOBAL binlog_format = MIXED", "SET GLOBAL binlog_format = ROW"):
        told = doctor(1)

    assert wrong(told) == ["orders durability", "outbox-source"]
    assert told["orders durability"]["seen"] == "binlog_format=MIXED"
    assert "binlog_format=ROW" in told["orders durability"]["do"]


@on_real_servers
@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_right_that_is_missing_is_named(
    place: Flow, lab: Lab, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    service = as_a_service(lab, place.databases)
    user = make_url(service.catalog_url).username
    database = make_url(service.catalog_url).database
    monkeypatch.setenv("CATALOG_DATABASE_URL", service.catalog_url)
    change = f"ON `{database}`.* {{}} `{user}`@'%'"
    with as_root(lab, f"REVOKE {right} {change.format('FROM')}", f"GRANT {right} {change.format('TO')}"):
        told = doctor(1 if right != "SELECT" else 5)

    if right == "SELECT":
        assert "SELECT" in told["catalog migrations"]["seen"]
    else:
        assert_only(told, "catalog rights", "wrong", f"{right} command denied", f"ON {database}.* TO {user}")


@on_real_servers
def test_a_password_that_is_wrong_is_told_and_not_shown(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url(place.databases.orders_url).set(password="s3cret")
    monkeypatch.setenv("ORDERS_DATABASE_URL", url.render_as_string(hide_password=False))

    told = doctor(5)

    assert "Access denied" in told["orders database"]["seen"]
    assert "s3cret" not in json.dumps(told)
