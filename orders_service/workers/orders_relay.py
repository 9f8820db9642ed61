"""The process that sends the events of the orders' outbox to the broker."""

from datetime import timedelta

import click
from sqlalchemy.orm import sessionmaker

from orders_service import logs, wiring
from orders_service.events.relay import Relay
from orders_service.settings import Settings, SettingsError, of_process
from orders_service.workers import loop
from orders_service.workers.broker import broker
from orders_service.workers.loop import Worker
from orders_service.workers.purging import Purging


def build(settings: Settings) -> Worker:
    """The relay of the orders database. It also purges the outbox."""
    engine = wiring.relay_engine(settings.orders_database_url)
    relay = Relay(
        engine,
        broker(settings).producer(),
        owner=wiring.owner(),
        lease_seconds=settings.relay_lease_seconds,
    )
    return Purging(relay, sessionmaker(engine), keep=timedelta(days=settings.outbox_keep_days))


@click.command("orders-relay")
def main() -> None:
    """Send the events of the orders' outbox to the broker until stopped."""
    settings = of_process("orders-relay")
    if settings.events_via != "relay":
        problem = "EVENTS_VIA is cdc: Debezium carries the outbox, and a relay would send every event again"
        raise SettingsError([problem])
    logs.configure(settings.log_level)
    loop.run(build(settings), "orders-relay")
