"""The process that confirms or rejects orders when the catalog has answered."""

from datetime import timedelta

import click

from orders_service import logs, wiring
from orders_service.events.consumer import Consumer
from orders_service.orders.handlers import on_stock_answered
from orders_service.settings import Settings, of_process
from orders_service.workers import loop
from orders_service.workers.broker import broker
from orders_service.workers.loop import Worker
from orders_service.workers.purging import Purging


def build(settings: Settings, *, poll_seconds: float = 1.0, skip_gap: bool = False) -> Worker:
    """The consumer of the catalog's answers. If no relay purges the orders' outbox (CDC), it does."""
    sessions = wiring.sessions(settings.orders_database_url)
    consumer = Consumer(
        sessions,
        broker(settings, skip_gap=skip_gap).subscribe(settings.status_group, [settings.stock_topic]),
        on_stock_answered,
        group=settings.status_group,
        dead_letter_bytes=settings.dead_letters_max_bytes,
        poll_seconds=poll_seconds,
    )
    if settings.events_via == "relay":
        return consumer
    return Purging(consumer, sessions, keep=timedelta(days=settings.outbox_keep_days))


@click.command("status-consumer")
@click.option("--skip-gap", is_flag=True, help="Go on though the log lost events that were not read.")
def main(skip_gap: bool) -> None:
    """Confirm or reject orders as the catalog answers, until told to stop."""
    settings = of_process("status-consumer")
    logs.configure(settings.log_level)
    loop.run(build(settings, skip_gap=skip_gap), "status-consumer")
