"""The log lines about one event or record have the ids of its order, its event and its trace."""

from sqlalchemy import update
from structlog.testing import capture_logs

from orders_service.events.tables import OutboxRow
from tests.events.kit import Post, Reception, placed, write_a_row

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-00"


def test_an_event_that_is_set_aside(post: Post) -> None:
    relay = post.relay()
    event = placed("o1")
    post.record(event)
    with post.sessions.begin() as session:
        session.execute(update(OutboxRow).values(payload="x" * 2_000_000, traceparent=TRACEPARENT))

    with capture_logs() as lines:
        relay.step()

    (line,) = [line for line in lines if line["event"] == "event set aside"]
    assert (line["order_id"], line["event_id"], line["trace_id"]) == ("o1", event.id, TRACE)


def test_a_dead_letter(reception: Reception) -> None:
    ids = (("ce_subject", b"o1"), ("ce_id", b"e1"), ("traceparent", TRACEPARENT.encode()))
    hostile = (("ce_subject", b"\x1b" * 100_000), ("ce_id", b"\xff"), ("traceparent", b"x"))
    consumer = reception.consume(write_a_row)

    with capture_logs() as lines:
        for headers in (ids, hostile, ()):
            reception.send(b"{", headers=(("ce_type", b"order.placed.v1"), *headers))
            consumer.step()

    known, wild, none = [line for line in lines if line["event"] == "dead letter"]
    assert (known["order_id"], known["event_id"], known["trace_id"]) == ("o1", "e1", TRACE)
    assert len(wild["order_id"]) == 64
    assert "trace_id" not in wild
    assert not {"order_id", "event_id", "trace_id"} & none.keys()
