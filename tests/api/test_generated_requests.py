"""20,000 generated requests: none makes us fail, and every byte that is stored is the byte that was sent.

A failure tells its seed: GENERATED_SEED=… makes the same requests again. GENERATED_REQUESTS=… makes more.
"""

import json
import os
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.events.brokers.port import Record
from orders_service.events.tables import OutboxRow
from orders_service.orders.order import Order as Row
from rig import history
from rig.databases import databases_in
from rig.deployment import Deployment, deployed
from rig.history import pending
from rig.waiting import await_true
from tests.generated.requests import Order, Sent, request
from tests.generated.wire import Answer, answers, exchange, meaning

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SEED = os.environ.get("GENERATED_SEED") or secrets.token_hex(4)
COUNT = int(os.environ.get("GENERATED_REQUESTS", "20000"))
CUSTOMERS = 8
IN_A_ROW = 8  # Requests of one connection, at most. One that may end elsewhere than it says is the last.


@dataclass
class Told:
    """What was answered: the orders that were taken, by their ids, and everything that is wrong."""

    orders: dict[str, Order] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, sent: Sent, answer: Answer) -> None:
        """Judge an answer by the request that it belongs to."""
        self.statuses[answer.status] += 1
        odd = None
        if answer.status >= 500:
            odd = "a fault of ours"
        elif answer.status >= 300 and answer.body and not answer.is_problem:
            odd = "no problem details"
        elif sent.order and answer.status != 201:
            odd = "an order that is right was refused"
        elif answer.status == 201:
            odd = self._placed(sent, json.loads(answer.body))
        if odd:
            self.wrong.append(f"{odd}: {answer.status} {answer.body[:300]!r}\n    to {sent.raw[:1500]!r}")

    def _placed(self, sent: Sent, told: dict[str, object]) -> str | None:
        try:
            order = meaning(sent.raw)
        except (ValueError, KeyError) as error:
            return f"an order was taken that we cannot read ({error})"
        if sent.order not in (None, order):
            return f"the test reads {order} in what it made of {sent.order}"
        if (told["productId"], told["qty"], told["unitPrice"]) != (order.product, order.qty, order.price):
            return "the answer is another order"
        # A second one with the same id would be a replay: the same order, whose trace is the first one's.
        self.orders.setdefault(str(told["orderId"]), order)
        return None


@pytest.fixture
def deployment(lab: Lab, tmp_path: Path) -> Iterator[Deployment]:
    """The API, ready, and its topics. No worker runs."""
    with (
        databases_in(lab) as databases,
        deployed(lab, databases, tmp_path, ["api"], API_WORKERS="2") as found,
    ):
        yield found


def test_any_request_is_answered_and_what_is_stored_is_what_was_sent(deployment: Deployment) -> None:
    told = Told()
    connections = list(_connections(random.Random(SEED)))

    with ThreadPoolExecutor(CUSTOMERS) as customers:
        port = deployment.port
        received = customers.map(lambda sent: exchange(port, b"".join(one.raw for one in sent)), connections)
        for sent, came in zip(connections, received, strict=True):
            _judge(told, sent, came)
    deployment.start("orders-relay")
    await_true(lambda: pending(deployment.databases.orders) == 0, "every event is sent", seconds=60)

    summary = f"GENERATED_SEED={SEED}, {dict(sorted(told.statuses.items()))}"
    print(summary)
    wrong = [*told.wrong, *_differences(deployment, told.orders)]
    assert not wrong, f"{summary}; {len(wrong)} are wrong:\n" + "\n".join(wrong[:20])
    assert "Traceback" not in deployment.log("api").read_text()
    assert len(told.orders) > COUNT / 4


def _connections(chance: random.Random) -> Iterator[list[Sent]]:
    """All requests, shared out to connections."""
    row: list[Sent] = []
    for _ in range(COUNT):
        row.append(request(chance))
        if not row[-1].framed or len(row) == IN_A_ROW:
            yield row
            row = []
    yield row


def _judge(told: Told, sent: list[Sent], received: bytes) -> None:
    """Judge what came back on a connection."""
    heads = [False for one in sent if one.framed]
    try:
        found = list(answers(received, heads))
    except ValueError as error:
        told.wrong.append(f"{error}\n    to {sent[-1].raw[:1500]!r}")
        return
    for number, answer in enumerate(found):
        told.add(sent[min(number, len(sent) - 1)], answer)
    is_closed = bool(found) and found[-1].headers.get("connection") == "close"
    unanswered = [one for one in sent[len(found) :] if one.framed]
    if unanswered and not is_closed:
        came = [(answer.status, answer.headers.get("connection")) for answer in found]
        told.wrong.append(f"no answer but {came} to {[one.raw[:1500] for one in sent]}")


def _differences(deployment: Deployment, orders: dict[str, Order]) -> Iterator[str]:
    """Whatever is not as it was sent, in the table, the outbox or the log."""
    with Session(deployment.databases.orders) as session:
        rows = {row.order_id: row for row in session.scalars(select(Row))}
        events = {row.aggregateid: row for row in session.scalars(select(OutboxRow))}
        count = session.scalar(select(func.count()).select_from(OutboxRow))
    settings = deployment.settings
    found = history.records(settings.kafka_bootstrap_servers, [settings.catalog_topic])
    records = {str(_header(record, "ce_subject")): record for record in found}
    for name, ids, number in (
        ("orders", rows.keys(), len(rows)),
        ("outbox", events.keys(), count),
        ("log", records.keys(), len(found)),
    ):
        if ids != orders.keys() or number != len(orders):
            yield f"{len(orders)} orders were taken, {number} are in {name}: {[*ids ^ orders.keys()][:5]}"
    for id_, order in orders.items():
        row, event, record = rows.get(id_), events.get(id_), records.get(id_)
        if not (row and event and record):
            continue
        value = {
            "productId": order.product,
            "qty": order.qty,
            "unitPrice": order.price,
            "totalPrice": order.qty * order.price,
            "orderId": id_,
            "userId": order.user,
        }
        stored = {
            "the row": (row.user_id, row.product_id, row.qty, row.unit_price, row.total_price),
            "the event": (json.loads(event.payload), event.key, event.traceparent),
            "the record": (record.value, record.key, _header(record, "traceparent")),
        }
        wanted = {
            "the row": (order.user, order.product, order.qty, order.price, order.qty * order.price),
            "the event": (value, order.product, order.trace),
            "the record": (event.payload.encode(), order.product.encode(), order.trace),
        }
        for where, what in stored.items():
            if what != wanted[where]:
                yield f"{where} of {id_} is {what!r}, not {wanted[where]!r}"


def _header(record: Record, name: str) -> str | None:
    value = dict(record.headers).get(name)
    return None if value is None else value.decode()
