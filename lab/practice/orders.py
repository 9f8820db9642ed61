"""Steps 7 to 9 of the practice: one API instance, two with a database each, two on one database."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from orders_service.processes import WORKERS

from ..ports import HOST, Ports
from ..server import within
from ..terminal import SECONDS, NotAsExpected, Terminal
from .connectors import ORDER_SINK, make_tables

CDC = "outbox-source"
SINK_TOPIC = "orders"


def order(terminal: Terminal) -> None:
    """Step 7: an order takes stock."""
    with tempfile.TemporaryDirectory() as folder, _whole_service(terminal, Path(folder)) as (api,):
        # The catalog handles a product's orders one after the other: after this answer no older order is
        # left that could change the stock.
        first = _placed_and_answered(terminal, api, 1)
        before = _stock(terminal, api)
        second = _placed_and_answered(terminal, api, 20)
        terminal.watch(f"{api}/ui/orders/{second['orderId']}", "the way of this order")
        sql = f"SELECT order_id, qty, state FROM catalog.reservations WHERE order_id = '{second['orderId']}'"
        rows = terminal.sql(sql)
        terminal.see("the catalog's reservation of 20", rows, [row[1] for row in rows] == ["20"])
        terminal.await_seen(
            f"stock {before} → {before - 20}", partial(_stock, terminal, api, quiet=True), before - 20
        )
        _give_back(terminal, api, terminal.user, [first, second])


def partial_lists(terminal: Terminal) -> None:
    """Step 8: two instances, each with a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            {
                "ORDERS_DATABASE_URL": f"sqlite:///{folder}/orders-{number}.db",
                "CATALOG_DATABASE_URL": f"sqlite:///{folder}/catalog-{number}.db",
            }
            for number in (1, 2)
        ]
        for one in settings:
            terminal.service("migrate", **one)
        user = f"{terminal.user}-8"
        with ExitStack() as stack:
            instances = [stack.enter_context(_api(terminal, Path(folder), **one)) for one in settings]
            _five_in_turn(terminal, instances, user)
            lists = [_orders(terminal, api, user) for api in instances * 2]
            seen = " then ".join(str(len(one)) for one in lists)
            whole = {one["orderId"] for one in lists[0]} | {one["orderId"] for one in lists[1]}
            holds = [len(one) for one in lists] == [3, 2, 3, 2] and len(whole) == 5
            terminal.see("GET shows 3 then 2 then 3 then 2 of the five", seen, holds)


def one_list(terminal: Terminal) -> None:
    """Step 9: two instances on one database, and a sink that copies the orders to one table."""
    make_tables(terminal)
    user = f"{terminal.user}-9"
    with (
        tempfile.TemporaryDirectory() as folder,
        _whole_service(terminal, Path(folder), instances=2, ORDERS_SINK_TOPIC=SINK_TOPIC) as instances,
    ):
        terminal.service("connectors", "apply", ORDER_SINK)
        placed = _five_in_turn(terminal, instances, user)
        lists = [[one["orderId"] for one in _orders(terminal, api, user)] for api in instances]
        wanted = [one["orderId"] for one in placed]
        seen = " and ".join(str(len(one)) for one in lists)
        terminal.see("all five from either", seen, lists == [wanted, wanted])
        landed = f"FROM mydb.orders WHERE user_id = '{user}' ORDER BY order_id"
        content = [
            [
                one["orderId"],
                one["productId"],
                *(str(one[name]) for name in ("qty", "unitPrice", "totalPrice")),
            ]
            for one in sorted(placed, key=lambda one: str(one["orderId"]))
        ]
        columns = "order_id, product_id, qty, unit_price, total_price"
        terminal.await_seen(
            "all five in mydb.orders", partial(terminal.rows, f"SELECT {columns} {landed}"), content
        )
        terminal.sql(f"SELECT {columns} {landed}")
        _give_back(terminal, instances[0], user, placed)


@contextmanager
def _api(terminal: Terminal, logs: Path, **settings: str) -> Iterator[str]:
    """Run one instance of the API on a free port; yield its URL."""
    port = Ports.free().connect
    with terminal.running("api", logs, API_PORT=str(port), **settings):
        url = f"http://{HOST}:{port}"
        terminal.await_ready(url)
        terminal.watch(f"{url}/ui", "in a browser, while this step runs")
        yield url


@contextmanager
def _whole_service(
    terminal: Terminal, logs: Path, *, instances: int = 1, **settings: str
) -> Iterator[list[str]]:
    """Run all processes of the service on the lab's servers; yield the URL of each API instance."""
    if CDC in terminal.http("GET", f"{terminal.connect}/connectors", quiet=True):
        status = terminal.http("GET", f"{terminal.connect}/connectors/{CDC}/status", quiet=True)
        if status["connector"]["state"] != "STOPPED":
            raise NotAsExpected(
                f"{CDC} and orders-relay must not both run: orders-service connectors delete {CDC}"
            )
    terminal.service("migrate")
    terminal.service("topics", "create", **settings)
    with ExitStack() as stack:
        for worker in WORKERS:
            stack.enter_context(terminal.running(worker.command, logs, **settings))
        yield [stack.enter_context(_api(terminal, logs, **settings)) for _ in range(instances)]


def _place(terminal: Terminal, api: str, user: str, qty: int) -> dict[str, Any]:
    asked = {"productId": "CATALOG-001", "qty": qty, "unitPrice": 1500}
    placed: dict[str, Any] = terminal.http("POST", f"{api}/order-service/{user}/orders", asked)
    return placed


def _placed_and_answered(terminal: Terminal, api: str, qty: int) -> dict[str, Any]:
    placed = _place(terminal, api, terminal.user, qty)
    url = f"{api}/order-service/{terminal.user}/orders/{placed['orderId']}"

    def status() -> str:
        found = terminal.http("GET", url, quiet=True)
        return " ".join(filter(None, (found["status"], found.get("reason"))))

    within(SECONDS, lambda: status() != "PENDING")
    terminal.await_seen(f"the order of {qty} CONFIRMED by the catalog", status, "CONFIRMED")
    return placed


def _five_in_turn(terminal: Terminal, instances: Sequence[str], user: str) -> list[dict[str, Any]]:
    """Place five orders on the instances in turn, as a gateway's load balancer would."""
    return [_place(terminal, instances[number % 2], user, number + 1) for number in range(5)]


def _orders(terminal: Terminal, api: str, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.http("GET", f"{api}/order-service/{user}/orders")
    return found


def _stock(terminal: Terminal, api: str, *, quiet: bool = False) -> int:
    product = terminal.http("GET", f"{api}/catalog-service/catalogs/CATALOG-001", quiet=quiet)
    return int(product["stock"])


def _give_back(terminal: Terminal, api: str, user: str, placed: Sequence[Mapping[str, Any]]) -> None:
    """Cancel the confirmed orders and wait until their stock is released, for the next practice."""
    url = f"{api}/order-service/{user}/orders"

    def is_answered() -> bool:
        return all(one["status"] != "PENDING" for one in terminal.http("GET", url, quiet=True))

    within(SECONDS, is_answered)
    before = _stock(terminal, api, quiet=True)
    confirmed = [one for one in terminal.http("GET", url, quiet=True) if one["status"] == "CONFIRMED"]
    for one in confirmed:
        terminal.http("POST", f"{url}/{one['orderId']}/cancel")
    back = before + sum(one["qty"] for one in confirmed)
    terminal.await_seen(
        "the cancelled pieces back in stock", partial(_stock, terminal, api, quiet=True), back
    )
