"""An event that is read is the event that was recorded."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from orders_service.contract.events import Event, OrderCancelled, OrderPlaced, StockRejected, StockReserved
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, TEXT_MAX
from orders_service.contract.reading import BY_TYPE, read_event

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def texts(most: int) -> st.SearchStrategy[str]:
    """What an id may hold: neither control characters nor halves of characters."""
    return st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=most)


def orders(event: type[OrderPlaced] | type[OrderCancelled]) -> st.SearchStrategy[Event]:
    def made(order: str, product: str, user: str, qty: int, price: int) -> Event:
        assume(qty * price <= INT_MAX)
        return event(
            order_id=order,
            product_id=product,
            user_id=user,
            qty=qty,
            unit_price=price,
            total_price=qty * price,
            traceparent=TRACE,
        )

    numbers = st.integers(1, 10_000), st.integers(0, 100_000_000)
    return st.builds(made, texts(TEXT_MAX), texts(PRODUCT_ID_MAX), texts(TEXT_MAX), *numbers)


EVENTS: dict[type[Event], st.SearchStrategy[Event]] = {
    OrderPlaced: orders(OrderPlaced),
    OrderCancelled: orders(OrderCancelled),
    StockReserved: st.builds(
        StockReserved,
        order_id=texts(TEXT_MAX),
        product_id=texts(PRODUCT_ID_MAX),
        qty=st.integers(1, INT_MAX),
    ),
    StockRejected: st.builds(
        StockRejected,
        order_id=texts(TEXT_MAX),
        product_id=texts(PRODUCT_ID_MAX),
        qty=st.integers(1, INT_MAX),
        reason=texts(64),
    ),
}


@given(st.one_of(*EVENTS.values()))
def test_an_event_read_from_the_wire_is_the_event_recorded(event: Event) -> None:
    found = read_event(event.type, json.dumps(event.data()).encode(), event.traceparent)

    assert found == event
    assert found is not None
    assert (type(found), found.traceparent, found.data()) == (type(event), event.traceparent, event.data())


def test_every_type_of_event_is_tried() -> None:
    assert {event.type for event in EVENTS} == set(BY_TYPE)


def test_a_record_of_others_may_lack_what_only_we_write() -> None:
    record = {"orderId": "1", "productId": "LAMP", "qty": 2}

    assert read_event(None, json.dumps(record).encode()) == OrderPlaced(
        order_id="1", product_id="LAMP", qty=2
    )
