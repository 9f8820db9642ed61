"""The trial of each profile: a function that uses its stack as customers do, and breaks parts of it."""

import random
import time
from collections import Counter
from collections.abc import Callable

from rig.customers import GATEWAY, Customers, Habits
from rig.waiting import wait
from trial import books, observers, posture
from trial.shell import TrialError, say, step
from trial.stack import Container, Stack

PRODUCTS = {"CATALOG-001": 1500, "CATALOG-002": 1000, "CATALOG-003": 2000}
ORDERS = 50
RATE = 25  # Orders a second while something is restarted.
RATE_OF_MANY = 8  # The same for minutes: each order is looked up at the end.
DELIVERY = 400  # Enough to confirm most orders, and too little to confirm all.
IN_SYNC_SECONDS = 60
NODES = ("mariadb", "mariadb-2", "mariadb-3")  # The databases of the profile `ha`.
CELLS = ("orders", "orders_1")  # The databases of the orders of two cells.


def _default(one: Stack) -> None:
    """Follow fifty orders to their end; then restart each container while customers order."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    books.deliver(one, DELIVERY)
    with customers.ordering():
        for container in one.containers():
            _restart(one, container, customers)
        posture.tell_memory(one)
    _settle(one, customers)


def _connect(one: Stack) -> None:
    """Every order arrives in the table of another database, although Connect is restarted meanwhile."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    with customers.ordering():
        for name in ("connect", "kafka"):
            _restart(one, _named(one, name), customers)
    _settle(one, customers)
    books.await_sink(one, customers.told)


def _cdc(one: Stack) -> None:
    """Debezium sends the outbox; no relay does."""
    if any(container.service == "orders-relay" for container in one.containers()):
        raise TrialError("orders-relay runs beside Debezium: every event would be sent twice")
    customers = _customers(one)
    _follow(customers, ORDERS)
    with customers.ordering():
        for name in ("connect", "mariadb"):
            _restart(one, _named(one, name), customers)
    _settle(one, customers)


def _cluster(one: Stack) -> None:
    """One broker of three is killed, and no customer notices."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    broker = _named(one, "kafka")
    with step(f"killing {broker.service}"), customers.ordering():
        customers.await_accepted(20, seconds=60)
        one.kill(broker)
        customers.await_accepted(100, seconds=60)
    began = time.monotonic()
    with step("waiting for every answer"):
        ends = customers.await_answers()
    waited = time.monotonic() - began
    say(f"  {broker.service} was killed: {_told(ends)}, the last {waited:.1f} s after the last order")
    books.check(one, customers.told)
    with step(f"starting {broker.service} again"):
        one.start(broker)
        _await_in_sync(one)
    _follow(customers, 10)
    books.check(one, customers.told)


def _ha(one: Stack) -> None:
    """Every container is killed once while customers order, and each of them is answered."""
    customers = _customers(one, rate=RATE_OF_MANY)
    nodes = [container for container in one.containers() if container.service in NODES]
    _follow(customers, ORDERS)
    books.deliver(one, DELIVERY)
    with customers.ordering():
        for container in one.containers():
            _restart(one, container, customers, end=one.kill)
        posture.tell_memory(one)
        _restart_nodes(
            one, customers, "killed", lambda: one.engine.docker("kill", *(node.id for node in nodes))
        )
        _restart_nodes(one, customers, "stopped", lambda: one.compose("stop", *NODES))
    _settle(one, customers)


def _restart_nodes(one: Stack, customers: Customers, how: str, end: Callable[[], object]) -> None:
    """End all nodes of the databases at once, and start them again."""
    began = time.monotonic()
    with step(f"all nodes {how}"):
        end()
        one.compose("up", "--wait", "--no-recreate", "--no-deps", *NODES)
        healthy = time.monotonic() - began
        customers.await_accepted(5, seconds=60)
    say(f"  all nodes {how} and started again: healthy after {healthy:.1f} s")


def _cells(one: Stack) -> None:
    """Each user's orders are in one of two databases, and one cell goes on without the other."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    cells = {name: {row[0] for row in one.sql(f"SELECT order_id FROM {name}.orders")} for name in CELLS}
    told = {order_id for customer in customers.told for order_id in customer.order_ids}
    if not all(cells.values()) or set.union(*cells.values()) != told or set.intersection(*cells.values()):
        raise TrialError(f"{len(told)} orders, and {Counter(map(len, cells.values()))} in the cells")
    say("  " + ", ".join(f"{len(orders)} orders in {name}" for name, orders in cells.items()))
    users = {name: {row[0] for row in one.sql(f"SELECT user_id FROM {name}.orders")} for name in CELLS}
    if set.intersection(*users.values()):
        raise TrialError("a user has orders in both cells")
    one.stop(_named(one, "api-1"))
    token = one.token("trial", "orders:read orders:write orders:admin")
    answers = {
        name: {posture.status(one.port, f"/order-service/{user}/orders", token) for user in users[name]}
        for name in CELLS
    }
    if answers != {"orders": {200}, "orders_1": {503}}:
        raise TrialError(f"without the API of the second cell, the cells answer {answers}")
    say("  without the API of the second cell its users get 503, and all others are answered")


def _observability(one: Stack) -> None:
    """The numbers of every process are in Prometheus, and an order is one trace."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    observers.check(one, one.token("trial", "orders:read orders:write"))
    posture.tell_memory(one)


PROFILES: dict[str, Callable[[Stack], None]] = {
    "default": _default,
    "connect": _connect,
    "cdc": _cdc,
    "cluster": _cluster,
    "ha": _ha,
    "cells": _cells,
    "observability": _observability,
}


def _customers(one: Stack, *, rate: int = RATE) -> Customers:
    """Customers of the gateway. Each has a key and retries until the order is accepted."""
    return Customers(
        one.urls,
        PRODUCTS,
        random.Random(),
        rate=rate,
        crowd=3,
        habits=Habits(keys=1),
        retried=GATEWAY,
        seconds=35,
        token=one.token("trial", "orders:read orders:write orders:admin"),
    )


def _follow(customers: Customers, count: int) -> None:
    """Let customers place orders, and follow them to their end."""
    began = time.monotonic()
    with step(f"placing {count} orders"), customers.ordering():
        customers.await_accepted(count)
    placed = time.monotonic() - began
    with step("waiting for their answers"):
        ends = customers.await_answers()
    answered = time.monotonic() - began
    say(f"  {count} orders placed in {placed:.1f} s, all answered after {answered:.1f} s: {_told(ends)}")


def _restart(
    one: Stack, container: Container, customers: Customers, *, end: Callable[[Container], None] | None = None
) -> None:
    """Stop a container, or *end* it in another way, and start it again while customers order."""
    customers.await_accepted(5, seconds=60)
    before, began = customers.failures.total(), time.monotonic()
    with step(f"restarting {container.name}"):
        (end or one.stop)(container)
        stopped = time.monotonic() - began
        one.start(container)
        healthy = time.monotonic() - began
        customers.await_accepted(5, seconds=60)
    again = customers.failures.total() - before
    say(
        f"  {container.service} restarted: ended in {stopped:.1f} s, healthy after {healthy:.1f} s; "
        f"longest time without a new order {customers.longest_gap(began):.1f} s, {again} retries"
    )


def _settle(one: Stack, customers: Customers) -> None:
    with step("waiting for every answer"):
        ends = customers.await_answers()
    told = ", ".join(f"{count} × {problem}" for problem, count in customers.failures.most_common())
    say(f"  every order is answered: {_told(ends)}; retries: {told or 'none'}")
    books.check(one, customers.told)


def _await_in_sync(one: Stack) -> None:
    """Wait until every partition has all its replicas again."""
    began = time.monotonic()
    tool_ = ["/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092"]
    ask = [*tool_, "--describe", "--under-replicated-partitions"]

    def late() -> list[str]:
        return one.compose("exec", "--no-TTY", "kafka", *ask).split("\n")[:-1]

    if not wait(lambda: not late(), seconds=IN_SYNC_SECONDS, pause=1):
        raise TrialError("\n".join(["partitions are not in sync:", *late()[:10]]))
    say(f"  the broker is up again, all replicas in sync after {time.monotonic() - began:.0f} s")


def _named(one: Stack, service: str) -> Container:
    return next(container for container in one.containers() if container.service == service)


def _told(ends: "dict[str, int]") -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
