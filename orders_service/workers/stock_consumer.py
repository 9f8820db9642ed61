"""The process that reserves stock for placed orders and releases it for cancelled ones."""

from functools import partial

import click

from orders_service import logs, wiring
from orders_service.catalog.handlers import on_order_events
from orders_service.events.consumer import Consumer, Handler
from orders_service.settings import Settings, of_process
from orders_service.workers import loop
from orders_service.workers.broker import broker


def handler(settings: Settings) -> Handler:
    """The handler of the orders' events."""
    return partial(
        on_order_events,
        outbox=wiring.catalog_outbox(settings),
        check_price=settings.catalog_check_price,
    )


def build(settings: Settings, *, poll_seconds: float = 1.0, skip_gap: bool = False) -> Consumer:
    """The consumer of the orders' events."""
    return Consumer(
        wiring.sessions(settings.catalog_database_url),
        broker(settings, skip_gap=skip_gap).subscribe(settings.stock_group, [settings.catalog_topic]),
        handler(settings),
        group=settings.stock_group,
        dead_letter_bytes=settings.dead_letters_max_bytes,
        poll_seconds=poll_seconds,
    )


@click.command("stock-consumer")
@click.option("--skip-gap", is_flag=True, help="Go on though the log lost events that were not read.")
def main(skip_gap: bool) -> None:
    """Reserve stock for placed orders, release it for cancelled ones, until told to stop."""
    settings = of_process("stock-consumer")
    logs.configure(settings.log_level)
    loop.run(build(settings, skip_gap=skip_gap), "stock-consumer")
