"""Any sequence of requests agrees with a small model: place, batch, retry, cancel, read, wait and list."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from orders_service.orders.order import Status
from tests.api.kit import BERLIN, ORDERS, STOCKHOLM, TOKYO, Api, member

KEYS = st.sampled_from(["a", "b", "c", "d"])
FACTS = st.tuples(st.sampled_from([BERLIN, TOKYO]), st.integers(1, 2))
PICK = st.integers(0, 1000)  # Which order: this number, modulo how many there are.
# A condition on the version of an order: none, any, its version, or an older or later one.
VERSIONS = st.sampled_from([None, "*", 0, -1, 1])
FINAL = (Status.REJECTED, Status.CANCELLED)


@dataclass
class ModelOrder:
    """An order as the model knows it."""

    order_id: str
    product: str
    qty: int
    status: Status = Status.PENDING
    version: int = 1
    reason: str | None = None

    def move(self, status: Status, reason: str | None = None) -> None:
        self.status, self.reason, self.version = status, reason, self.version + 1


@dataclass
class Model:
    """The orders of a user, oldest first, and the order of each key."""

    orders: list[ModelOrder] = field(default_factory=list)
    by_key: dict[str, ModelOrder] = field(default_factory=dict)


class Customer(RuleBasedStateMachine):
    """A customer who sends requests one after the other, and a catalog that answers in between."""

    api: Api

    def __init__(self) -> None:
        super().__init__()
        self.api.empty()
        self.model = Model()

    def placed(
        self, key: str | None, facts: tuple[str, int], status: int, order: Any, replayed: bool
    ) -> None:
        """Compare the answer to an order with the model, and remember the order."""
        product, qty = facts
        known = self.model.by_key.get(key or "")
        if known is not None and (known.product, known.qty) != facts:
            assert status == 422
            return
        assert (status, order["status"], replayed) == (201, Status.PENDING, known is not None)
        assert (order["productId"], order["qty"]) == facts
        if known is not None:
            assert order["orderId"] == known.order_id
            return
        new = ModelOrder(order["orderId"], product, qty)
        assert new.order_id not in [one.order_id for one in self.model.orders]
        self.model.orders.append(new)
        if key is not None:
            self.model.by_key[key] = new

    @rule(facts=FACTS, key=st.none() | KEYS)
    def place(self, facts: tuple[str, int], key: str | None) -> None:
        response = self.api.place(key=key, productId=facts[0], qty=facts[1])

        replayed = response.headers.get("Idempotent-Replayed") == "true"
        self.placed(key, facts, response.status_code, response.json, replayed)
        assert response.status_code == 422 or response.headers["ETag"] == '"1"'

    @rule(sent=st.lists(st.tuples(st.none() | KEYS, FACTS, st.booleans()), min_size=1, max_size=5))
    def place_batch(self, sent: list[tuple[str | None, tuple[str, int], bool]]) -> None:
        orders = [
            {"productId": product, "qty": qty if good else 0, "unitPrice": 1500}
            | ({"idempotencyKey": key} if key else {})
            for key, (product, qty), good in sent
        ]

        response = self.api.client.post(f"{ORDERS}/batch", json={"orders": orders})

        assert response.status_code == 200
        for (key, facts, good), element in zip(sent, response.json or [], strict=True):
            if not good:
                assert element["status"] == 422
                continue
            self.placed(key, facts, element["status"], element.get("order"), element.get("replayed", False))

    @precondition(lambda self: self.model.orders)
    @rule(pick=PICK, rejected=st.booleans())
    def answer(self, pick: int, rejected: bool) -> None:
        self.let_catalog_answer(self.picked(pick), rejected)

    @precondition(lambda self: self.model.orders)
    @rule(pick=PICK, rejected=st.booleans())
    def wait(self, pick: int, rejected: bool) -> None:
        """Read an order with `Prefer: wait` while the catalog answers."""
        order = self.picked(pick)

        with ThreadPoolExecutor(1) as pool:
            path, prefer = f"{ORDERS}/{order.order_id}", {"Prefer": "wait=30"}
            waiting = pool.submit(lambda: self.api.client.get(path, headers=prefer))
            self.let_catalog_answer(order, rejected)

        assert waiting.result().headers["Preference-Applied"] == "wait=30"
        self.agrees(waiting.result(), order)

    def let_catalog_answer(self, order: ModelOrder, rejected: bool) -> None:
        if rejected:
            moved = self.api.reject(order.order_id, "insufficient-stock")
        else:
            moved = self.api.confirm(order.order_id)

        assert moved == (order.status == Status.PENDING)
        if moved:
            order.move(*((Status.REJECTED, "insufficient-stock") if rejected else (Status.CONFIRMED,)))

    @precondition(lambda self: self.model.orders)
    @rule(pick=PICK, version=VERSIONS)
    def cancel(self, pick: int, version: int | str | None) -> None:
        order = self.picked(pick)

        response = self.api.client.post(
            f"{ORDERS}/{order.order_id}/cancel", headers=condition("If-Match", order, version)
        )

        if order.status == Status.CANCELLED:
            assert response.status_code == 200
        elif version not in (None, "*", 0):
            assert response.status_code == 412
        elif order.status == Status.REJECTED:
            assert response.status_code == 409
        else:
            order.move(Status.CANCELLED)
            assert response.status_code == 200
        if response.status_code == 200:
            self.agrees(response, order)

    @precondition(lambda self: self.model.orders)
    @rule(pick=PICK, version=VERSIONS)
    def read(self, pick: int, version: int | str | None) -> None:
        order = self.picked(pick)

        response = self.api.client.get(
            f"{ORDERS}/{order.order_id}", headers=condition("If-None-Match", order, version)
        )

        if version in ("*", 0):
            assert (response.status_code, response.data) == (304, b"")
            assert response.headers["ETag"] == f'"{order.version}"'
        else:
            self.agrees(response, order)

    @rule(
        statuses=st.sets(st.sampled_from(Status)),
        product=st.sampled_from([None, BERLIN, STOCKHOLM]),
        descending=st.booleans(),
        limit=st.integers(1, 4),
        pick=st.none() | PICK,
    )
    def list(
        self, statuses: set[Status], product: str | None, descending: bool, limit: int, pick: int | None
    ) -> None:
        wanted = self.model.orders[::-1] if descending else self.model.orders[:]
        query = f"limit={limit}&order={'desc' if descending else 'asc'}"
        if pick is not None and wanted:
            after = self.picked(pick)
            wanted = wanted[wanted.index(after) + 1 :]
            query += f"&after={after.order_id}"
        if statuses:
            wanted = [order for order in wanted if order.status in statuses]
            query += f"&status={','.join(sorted(statuses))}"
        if product:
            wanted = [order for order in wanted if order.product == product]
            query += f"&productId={product}"

        found, path = [], f"{ORDERS}?{query}"
        while path:
            response = self.api.get(path)
            found.append([(order["orderId"], order["status"]) for order in response.json or []])
            path = response.headers.get("Link", "").partition(">")[0].lstrip("<")

        assert [order for page in found for order in page] == [(o.order_id, o.status) for o in wanted]
        assert all(len(page) == limit for page in found[:-1])

    @invariant()
    def events_are_recorded_once(self) -> None:
        """There is one event for each order, and one more for each cancellation."""
        recorded = [(row.type, row.aggregateid) for row in self.api.outbox()]
        expected = [("order.placed.v1", order.order_id) for order in self.model.orders]
        expected += [
            ("order.cancelled.v1", order.order_id)
            for order in self.model.orders
            if order.status == Status.CANCELLED
        ]
        assert sorted(recorded) == sorted(expected)

    def picked(self, pick: int) -> ModelOrder:
        return self.model.orders[pick % len(self.model.orders)]

    def agrees(self, response: TestResponse, order: ModelOrder) -> None:
        """The answer shows *order* as the model knows it."""
        assert response.status_code == 200, response.text
        assert response.headers["ETag"] == f'"{order.version}"'
        shown = (member(response, name) for name in ("orderId", "productId", "qty", "status"))
        assert tuple(shown) == (order.order_id, order.product, order.qty, order.status)
        assert (response.json or {}).get("reason") == order.reason


def condition(header: str, order: ModelOrder, version: int | str | None) -> dict[str, str]:
    """The header with *version*, a difference to the order's version, or `*`; no header for None."""
    if version is None:
        return {}
    return {header: version if isinstance(version, str) else f'"{order.version + version}"'}


@pytest.mark.timeout(180)
def test_any_sequence_of_requests_agrees_with_a_model(shared_api: Api) -> None:
    class Here(Customer):
        api = shared_api

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=checks
        ),
    )
