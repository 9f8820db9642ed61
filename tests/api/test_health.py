"""`/livez`, `/readyz` and the course's health checks, in every weather."""

import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import event

from lab import Lab
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import ORDERS, Api, assert_problem, at_once, member

OK = {"ordersDatabase": "ok", "catalogDatabase": "ok", "broker": "ok"}


@pytest.fixture
def unmigrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API on two databases without tables."""
    folder = tmp_path_factory.mktemp("unmigrated")
    for name in ("orders", "catalog"):
        (folder / f"{name}.db").touch()
    databases = Databases(f"sqlite:///{folder}/orders.db", f"sqlite:///{folder}/catalog.db")
    api = Api.on(databases)
    yield api
    api.close()


def test_it_is_ready_when_everything_answers(api: Api) -> None:
    response = api.get("/readyz")

    assert (response.status_code, response.json) == (200, {"status": "ready", "checks": OK})


def test_springs_actuator_is_up_when_the_service_is_ready(api: Api) -> None:
    response = api.get("/actuator/health")

    assert (response.status_code, response.json) == (200, {"status": "UP"})


def test_springs_actuator_is_down_without_the_orders_database(databases: Databases, away: str) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away) as api:
        response = api.get("/actuator/health")

    assert (response.status_code, response.json) == (503, {"status": "DOWN"})
    assert response.headers["Retry-After"] == "1"


def test_springs_actuator_is_up_while_orders_can_be_placed(
    databases: Databases, away: str, closed_port: int
) -> None:
    broker = {"BROKER": "kafka", "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{closed_port}"}
    with Api.on(databases, CATALOG_DATABASE_URL=away, **broker) as api:
        ready, response = api.get("/readyz"), api.get("/actuator/health")

    assert member(ready, "status") == "degraded"
    assert (response.status_code, response.json) == (200, {"status": "UP"})


def test_it_is_alive(api: Api) -> None:
    response = api.get("/livez")

    assert (response.status_code, response.json) == (200, {"status": "alive"})


def test_without_the_orders_database_it_is_not_ready(databases: Databases, away: str) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away) as api:
        response = api.get("/readyz")

    assert_problem(response, 503, "not-ready")
    assert member(response, "checks") == OK | {"ordersDatabase": "down"}
    assert response.headers["Retry-After"] == "1"


def test_without_the_catalog_database_it_takes_orders(databases: Databases, away: str) -> None:
    with Api.on(databases, CATALOG_DATABASE_URL=away) as api:
        ready, placed, catalog = api.get("/readyz"), api.place(), api.get("/catalog-service/catalogs")

    assert ready.status_code == 200
    assert ready.json == {"status": "degraded", "checks": OK | {"catalogDatabase": "down"}}
    assert placed.status_code == 201
    assert_problem(catalog, 503, "database-unavailable")


def test_a_catalog_that_swallows_what_is_sent_keeps_nobody_waiting(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.database.bounds.CONNECT_SECONDS", 60)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mariadb+pymysql://kim:secret@127.0.0.1:{silent.getsockname()[1]}/silent"
        with Api.on(databases, CATALOG_DATABASE_URL=url) as api:
            began = time.monotonic()
            response = api.get("/readyz")
            took = time.monotonic() - began

    assert (response.status_code, member(response, "checks")) == (200, OK | {"catalogDatabase": "down"})
    assert took < 60


def test_without_a_broker_it_takes_orders(databases: Databases, closed_port: int) -> None:
    servers = f"127.0.0.1:{closed_port},127.0.0.1:{closed_port}"
    with Api.on(databases, BROKER="kafka", KAFKA_BOOTSTRAP_SERVERS=servers) as api:
        ready, placed = api.get("/readyz"), api.place()

    assert ready.status_code == 200
    assert ready.json == {"status": "degraded", "checks": OK | {"broker": "down"}}
    assert placed.status_code == 201


@pytest.mark.parametrize("server", ["nowhere.invalid:9092", "김.invalid:1", "-:65535"])
def test_a_broker_that_has_no_address_is_down_and_no_fault(databases: Databases, server: str) -> None:
    with Api.on(databases, BROKER="kafka", KAFKA_BOOTSTRAP_SERVERS=server) as api:
        response = api.get("/readyz")

    assert (response.status_code, member(response, "checks")) == (200, OK | {"broker": "down"})


def test_without_tables_it_is_not_ready(unmigrated: Api) -> None:
    response = unmigrated.get("/readyz")

    assert_problem(response, 503, "not-ready")
    assert member(response, "checks") == OK | {"ordersDatabase": "down", "catalogDatabase": "down"}


def test_without_anything_it_is_still_alive(databases: Databases, away: str) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away, CATALOG_DATABASE_URL=f"{away}2", BROKER="kafka") as api:
        paths = ["/livez", "/order-service/health_check", "/catalog-service/health_check"]
        codes = [api.get(path).status_code for path in paths]

    assert codes == [200, 200, 200]


def test_it_becomes_ready_when_the_tables_come(unmigrated: Api) -> None:
    before = unmigrated.get("/readyz").status_code
    unmigrated.databases.migrate()

    await_true(lambda: unmigrated.get("/readyz").status_code == 200, "it is ready")
    placed = unmigrated.place().status_code
    unmigrated.databases.dispose()

    assert (before, placed) == (503, 201)


def test_readiness_leaves_nothing_open(own_api: Api) -> None:
    for _ in range(3):
        own_api.get("/readyz")

    pools = [engine.pool for engine in own_api.app.extensions["readiness"].engines.values()]
    await_true(lambda: [pool.checkedout() for pool in pools] == [0, 0], "every connection is given back")


def test_two_hundred_who_ask_at_once_share_one_answer(own_api: Api) -> None:
    asked: list[str] = []
    for engine in own_api.app.extensions["readiness"].engines.values():
        event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    codes = at_once(200, lambda _: own_api.get("/readyz").status_code)

    assert codes == [200] * 200
    # One second after the first answer there may be a second one, on a machine that is busy.
    assert len(asked) <= 2 * 10 * waiting.factor()


def test_readiness_waits_for_no_connection_that_orders_need(own_api: Api) -> None:
    held = [own_api.engine().connect() for _ in range(50)]

    response = own_api.get("/readyz")

    for connection in held:
        connection.close()
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["health_check", "health-check"])
@pytest.mark.parametrize("service", ["Order", "Catalog"])
def test_the_courses_health_checks_name_the_port(databases: Databases, service: str, path: str) -> None:
    with Api.on(databases, API_PORT="61234") as api:
        response = api.get(f"/{service.lower()}-service/{path}")

    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert response.text == f"It's Working in {service} Service on PORT 61234"


def test_the_newest_edition_finds_its_health_check(databases: Databases) -> None:
    with Api.on(databases, API_PORT="61234") as api:
        response = api.get("/product-service/health-check")

    assert (response.status_code, response.mimetype) == (200, "text/plain")
    assert response.text == "It's Working in Product Service on PORT 61234"


@pytest.mark.parametrize("user", ["health_check", "actuator"])
def test_a_user_named_like_a_health_check_can_order(api: Api, user: str) -> None:
    placed = api.place(user)

    assert placed.status_code == 201
    assert api.get(ORDERS).json == []


@pytest.mark.real
def test_it_is_not_ready_while_the_database_is_read_only(lab: Lab, databases: Databases) -> None:
    if databases.orders.dialect.name == "sqlite":
        pytest.skip("SQLite has no such switch")
    with Api.on(databases) as api, lab.mariadb.connect() as root, root.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            ready, placed = api.get("/readyz"), api.place()
        finally:
            cursor.execute("SET GLOBAL read_only = 0")

    assert_problem(ready, 503, "not-ready")
    assert_problem(placed, 503, "database-unavailable")
    assert "nothing was written" in str(member(placed, "detail"))
