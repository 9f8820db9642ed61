"""Records come again, or in another order, or are poison."""

import json
import uuid

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow
from tests.faults.stage import Stage
from tests.faults.test_killed import CONSUMERS

pytestmark = [pytest.mark.real, pytest.mark.faults]

ORDER = {"productId": "CATALOG-001", "qty": 1, "orderId": "o"}
RESERVED = (("ce_type", b"stock.reserved.v1"),)


def order(**fields: object) -> bytes:
    """The value of an order with some other fields."""
    return json.dumps(ORDER | fields).encode()


POISON: dict[str, bytes | None] = {
    "no value": None,
    "nothing": b"",
    "not JSON": b"not json",
    "not UTF-8": b'{"productId": "\xff"}',
    "half a record": order()[:-5],
    "null": b"null",
    "a list": b"[1, 2]",
    "nested without end": b"[" * 50_000,
    "no fields": b"{}",
    "no product": b'{"qty": 1, "orderId": "o"}',
    "no order id": b'{"productId": "CATALOG-001", "qty": 1}',
    "a product id that is too long": order(productId="p" * 121),
    "an order id that is too long": order(orderId="o" * 256),
    "half a character": b'{"productId": "CATALOG-001", "qty": 1, "orderId": "\\ud800"}',
    "70 kB": order(orderId="o" * 70_000),
    "900 kB": b"x" * 900_000,
}
# As orders they are answered (tests/flow/test_foreign_orders.py). As answers they are dead letters.
WRONG_QTY = {
    "a text as qty": order(qty="2"),
    "true as qty": order(qty=True),
    "a fraction as qty": order(qty=1.5),
    "no pieces": order(qty=0),
    "more pieces than fit": order(qty=3_000_000_000),
}


def test_the_topics_are_consumed_again_from_their_beginning(stage: Stage) -> None:
    with stage.ordering() as customers:
        customers.await_accepted(40)
        groups = {name: f"again-{uuid.uuid4().hex}" for name in ("STOCK_GROUP", "STATUS_GROUP")}
        stage.deployment.environment |= groups
        stage.restart(*CONSUMERS)
        customers.await_accepted(40)

    stage.settle()


def test_events_go_out_in_any_order_and_twice(stage: Stage) -> None:
    stage.stop("orders-relay")
    with stage.ordering(cancels=0.5) as customers:
        customers.await_accepted(60)
    with Session(stage.databases.orders) as session:
        pending = select(OutboxRow.seq, OutboxRow.aggregateid).where(OutboxRow.lane.is_not(None))
        rows = session.execute(pending).all()
        session.execute(update(OutboxRow).where(OutboxRow.lane.is_not(None)).values(seq=-OutboxRow.seq))
        mixed = stage.chance.sample([row.seq for row in rows], len(rows))
        for row, seq in zip(rows, mixed, strict=True):
            session.execute(update(OutboxRow).where(OutboxRow.seq == -row.seq).values(seq=seq))
        session.commit()
    stage.reordered |= {row.aggregateid for row in rows}

    stage.settle()

    stage.deployment.run("outbox", "requeue", "--since", "2020-01-01")
    history = stage.settle()
    assert len(history.facts) > 1.5 * len({fact.id for fact in history.facts})


def test_consumers_join_and_leave_under_load(stage: Stage) -> None:
    more = [f"{name}#{number}" for name in CONSUMERS for number in (2, 3, 4)]
    with stage.ordering() as customers:
        for _ in range(2):
            for name in more:
                stage.deployment.start(name)
                customers.await_accepted(20)
            for name in stage.chance.sample(more, len(more)):
                stage.stop(name)
                customers.await_accepted(20)
        stage.await_answer(seconds=30)

    stage.settle()


def test_poison_of_every_kind_becomes_dead_letters(stage: Stage) -> None:
    catalog, stock = stage.topics
    kinds, answers = list(POISON.values()), [*POISON.values(), *WRONG_QTY.values()]

    with stage.ordering() as customers:
        stage.send([Outgoing(catalog, uuid.uuid4().bytes, value) for value in kinds])
        stage.send([Outgoing(stock, uuid.uuid4().bytes, value, RESERVED) for value in answers])
        stage.send([Outgoing(stock, b"k", order(), (("ce_type", b"stock.reserved.v9"),))])
        customers.await_accepted(20)
    stage.poison |= {value or b"" for value in answers} | {order()}
    settled = stage.settle()
    conflicting = order(orderId=next(iter(settled.orders)), qty=77)
    stage.send([Outgoing(catalog, b"k", conflicting)])

    stage.poison.add(conflicting)
    stage.settle()


def test_a_third_of_the_stream_is_poison(stage: Stage) -> None:
    catalog, _ = stage.topics

    with stage.ordering() as customers:
        for number in range(20):
            customers.await_accepted(7)
            values = [f"poison {number}.{n} of {stage.fault}".encode() for n in range(3)]
            keys = stage.chance.choices(list(customers.products), k=3)
            stage.send(
                [Outgoing(catalog, key.encode(), value) for key, value in zip(keys, values, strict=True)]
            )
            stage.poison |= set(values)

    history = stage.settle()
    assert len(history.dead) >= 60
