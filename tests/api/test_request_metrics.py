"""Every request is counted once, by its route; a client cannot make new series."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from orders_service.api.routes import path_of
from orders_service.metrics import REGISTRY
from orders_service.orders.order import Status
from rig.databases import Databases
from tests.api.kit import ORDERS, Api

ROUTE = "/order-service/{userId}/orders"
ONE = f"{ROUTE}/{{orderId}}"


@pytest.fixture
def api(databases: Databases) -> Iterator[Api]:
    with Api.on(databases) as api:
        yield api


class Counts:
    """How much the counters have grown since this was made: they belong to the process, not to an app."""

    def __init__(self) -> None:
        self._before = _values()

    @property
    def requests(self) -> dict[tuple[str, ...], float]:
        return self._grown("orders_http_requests_total")

    @property
    def measured(self) -> dict[tuple[str, ...], float]:
        return self._grown("orders_http_request_duration_seconds_count")

    def _grown(self, name: str) -> dict[tuple[str, ...], float]:
        grown = {key: value - self._before.get(key, 0.0) for key, value in _values().items()}
        return {key[1:]: more for key, more in grown.items() if key[0] == name and more}

    @property
    def new(self) -> set[tuple[str, ...]]:
        return _values().keys() - self._before.keys()


def _values() -> dict[tuple[str, ...], float]:
    """The value of each series by its name, route, method, status and bucket."""
    return {
        (
            sample.name,
            *(sample.labels[name] for name in ("route", "method", "status", "le") if name in sample.labels),
        ): sample.value
        for family in REGISTRY.collect()
        if family.name.startswith("orders_http_")
        for sample in family.samples
    }


def test_a_request_is_counted_by_the_template_of_its_route(api: Api) -> None:
    counts = Counts()

    order_id = api.placed("kim")
    api.get(f"{ORDERS}/{order_id}")
    api.get(f"/order-service/ann/orders/{order_id}")

    expected = {(ROUTE, "POST", "201"): 1, (ONE, "GET", "200"): 1, (ONE, "GET", "404"): 1}
    assert counts.requests == expected
    assert counts.measured == expected


def test_a_strange_path_or_method_makes_no_new_series(api: Api) -> None:
    client = api.client
    _ask_strangely(client, "a")
    counts = Counts()

    for name in ("b", "c", "d"):
        _ask_strangely(client, name)

    assert counts.new == set()
    assert counts.requests == {
        ("none", "GET", "404"): 3,
        ("none", "other", "404"): 3,
        ("none", "other", "405"): 3,
        ("none", "PUT", "405"): 3,
    }


def _ask_strangely(client: FlaskClient, name: str) -> None:
    client.get(f"/{name}")
    client.open(f"/{name}", method=name.upper())
    client.open(ORDERS, method=name.upper())
    client.put(f"/order-service/{name}/orders")


def test_the_server_errors_of_each_route_begin_at_zero(api: Api) -> None:
    known = _values()

    for rule in api.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for status in ("500", "503"):
                assert ("orders_http_requests_total", path_of(rule.rule), method, status) in known


def test_a_failure_of_the_service_is_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setitem(api.app.view_functions, "orders.index", fails)
    counts = Counts()

    response = api.get(ORDERS)

    assert response.status_code == 500
    assert counts.requests == counts.measured == {(ROUTE, "GET", "500"): 1}


def test_a_database_that_is_down_is_counted(api: Api) -> None:
    with api.databases.orders.begin() as connection:
        connection.exec_driver_sql("DROP TABLE orders")
    counts = Counts()

    api.get(ORDERS)

    assert counts.requests == {(ROUTE, "GET", "503"): 1}


@pytest.mark.parametrize("prefer", ["wait=1", "wait=0", "respond-async"])
def test_a_request_that_waits_is_counted_and_not_measured(api: Api, prefer: str) -> None:
    counts = Counts()

    api.place(headers={"Prefer": prefer})

    assert counts.requests == {(ROUTE, "POST", "201"): 1}
    assert bool(counts.measured) == (prefer != "wait=1")


def test_a_read_that_does_not_have_to_wait_is_measured(api: Api) -> None:
    order_id = api.placed(status=Status.CONFIRMED)
    counts = Counts()

    api.client.get(f"{ORDERS}/{order_id}", headers={"Prefer": "wait=1"})

    assert counts.measured == {(ONE, "GET", "200"): 1}


def test_a_stream_is_counted_and_not_measured(api: Api) -> None:
    order_id = api.placed(status=Status.REJECTED)
    counts = Counts()

    api.get(f"{ORDERS}/{order_id}/events")

    assert counts.requests == {(f"{ONE}/events", "GET", "200"): 1}
    assert counts.measured == {}


def test_every_route_has_a_template_without_angle_brackets(api: Api) -> None:
    labels = [key[1] for key in _values() if key[0] == "orders_http_requests_total"]

    assert labels
    assert not [label for label in labels if "<" in label]
