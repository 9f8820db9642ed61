"""`orders list|show`: finds orders, and shows where one is on its way. Changes nothing."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.orm import Session

from orders_service.commands import arguments, order_journey
from orders_service.commands.dead_letter_json import indented_json
from orders_service.commands.output import instant, json_instant, print_json, print_table, short
from orders_service.contract import facts
from orders_service.contract.limits import TEXT_MAX, USER_ID_MAX
from orders_service.database.columns import utc_now
from orders_service.database.engines import one_session
from orders_service.orders import search
from orders_service.orders.errors import IdAmbiguous, OrderNotFound
from orders_service.orders.order import Order, Status
from orders_service.printable import printable
from orders_service.settings import of_process

LIMIT = 50
SECONDS_MAX = 100 * 366 * 86_400
HEAD = ("ORDER", "STATUS", "PLACED", "USER", "PRODUCT", "QTY", "TOTAL", "REASON")
EVENTS_HEAD = ("SEQ", "EVENT", "TOPIC", "RECORDED", "STATE")

Events = Sequence[Row[Any]]


@click.group("orders")
def main() -> None:
    """List and show orders. Changes nothing."""


@main.command("list")
@click.option("--user", callback=arguments.text(USER_ID_MAX), help="Only orders of this user.")
@click.option("--status", type=click.Choice(list(Status), case_sensitive=False), help="Only this status.")
@click.option(
    "--older-than",
    "seconds",
    type=click.IntRange(0, SECONDS_MAX),
    help="Only orders that were placed more than this many seconds ago, the oldest first.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Print at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(user: str | None, status: Status | None, seconds: int | None, limit: int, as_json: bool) -> None:
    """List orders of all users, the newest first."""
    before = None if seconds is None else utc_now() - timedelta(seconds=seconds)
    with one_session(of_process("orders").orders_database_url) as session:
        found = search.find(session, search.Filter(user, status and Status(status), before))
        if as_json:
            print_json(_as_json(order) for order in islice(found, limit))
        elif not print_table(HEAD, (_row(order) for order in islice(found, limit))):
            click.echo("No orders.")
        if next(found, None) is not None:
            click.echo(f"More orders match. To see more than {limit}, use --limit.", err=True)


@main.command()
@click.argument("order_id", metavar="ORDER_ID", callback=arguments.text(TEXT_MAX))
@click.option("--journey", "with_journey", is_flag=True, help="Also search the catalog and the log for it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def show(order_id: str, with_journey: bool, as_json: bool) -> None:
    """Print an order, its events in the outbox, and what it waits for.

    ORDER_ID may be the beginning of an id, if it has at least 8 characters and no other order's id begins so.

    With --journey, print where it was, and when: in both databases and in the log. The log is searched for
    its records, which takes a moment.
    """
    if with_journey:
        show_journey(order_id, as_json=as_json)
        return
    with one_session(of_process("orders").orders_database_url) as session:
        session.connection(execution_options={"read_only": True})
        order = search.get(session, _whole_id(session, order_id))
        events = search.events(session, order)
    if as_json:
        click.echo(indented_json(_as_json(order) | {"events": [_event_as_json(event) for event in events]}))
        return
    for name, value in (*facts.as_dict(order).items(), *_progress(order).items()):
        click.echo(printable(f"{name.replace('_', ' '):<12} {value}"))
    click.echo()
    rows = [(e.seq, e.type, e.topic, instant(e.created_at), _state(e)) for e in events]
    if not print_table(EVENTS_HEAD, rows):
        click.echo("The outbox has no event of this order: events are deleted after OUTBOX_KEEP_DAYS.")
    if advice := _advice(order, events):
        click.echo(f"→ {advice}")


def show_journey(order_id: str, *, as_json: bool) -> None:
    """Print the journey of an order."""
    settings = of_process("journey")
    with one_session(settings.orders_database_url) as session:
        session.connection(execution_options={"read_only": True})
        whole_id = _whole_id(session, order_id)
    told = order_journey.read_journey(settings, whole_id)
    if as_json:
        click.echo(indented_json({"order": _as_json(told.order)} | told.as_json()))
    else:
        order_journey.print_journey(told)


def _whole_id(session: Session, order_id: str) -> str:
    try:
        return search.whole_id(session, order_id)
    except OrderNotFound as error:
        raise click.ClickException(f"order {order_id} does not exist") from error
    except IdAmbiguous as error:
        ids = " and ".join(error.ids)
        raise click.ClickException(
            f"more than one order begins with {order_id}, as {ids}. Give a whole id"
        ) from error


def _row(order: Row[Any]) -> tuple[object, ...]:
    placed = instant(order.created_at, timespec="seconds")
    user, product, reason = short(order.user_id), short(order.product_id), order.reason or ""
    return (order.order_id, order.status, placed, user, product, order.qty, order.total_price, reason)


def _as_json(order: Order | Row[Any]) -> dict[str, Any]:
    return facts.as_json_dict(order) | {
        "status": order.status,
        "reason": order.reason,
        "version": order.version,
        "createdAt": json_instant(order.created_at),
        "updatedAt": json_instant(order.updated_at),
    }


def _progress(order: Order) -> dict[str, str]:
    """The status of an order with the times of its changes, for people."""
    age = (utc_now() - order.created_at).total_seconds()
    return {
        "status": f"{order.status} ({order.reason})" if order.reason else order.status,
        "placed": f"{instant(order.created_at)}, {age:.0f} s ago",
        "changed": f"{instant(order.updated_at)}, version {order.version}",
    }


def _event_as_json(event: Row[Any]) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "id": event.id,
        "type": event.type,
        "topic": event.topic,
        "pending": event.lane is not None,
        "createdAt": json_instant(event.created_at),
        "publishedAt": json_instant(event.published_at),
        "error": event.error,
    }


def _state(event: Row[Any]) -> str:
    if event.error is not None:
        return f"set aside: {event.error}"
    if event.lane is not None:
        return "pending"
    return f"sent {instant(event.published_at)}" if event.published_at else "left to Debezium"


def _advice(order: Order, events: Events) -> str:
    """Says what the order waits for, and what to do. Empty if it waits for nothing."""
    if any(event.error is not None for event in events):
        return (
            "The broker refused an event. Repair its topic, then run:"
            " orders-service outbox requeue --database orders --set-aside"
        )
    if any(event.lane is not None for event in events):
        return "orders-relay has not sent every event yet. If this lasts, run: orders-service doctor"
    if order.status != Status.PENDING:
        return ""
    if not events:
        return "To ask the catalog again, run: orders-service outbox resend --pending-older-than SECONDS"
    return "The catalog has not answered yet. If this lasts, run: orders-service doctor"
