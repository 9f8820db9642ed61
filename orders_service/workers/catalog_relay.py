"""The process that sends the events of the catalog's outbox to the broker."""

from datetime import timedelta

import click
from sqlalchemy.orm import sessionmaker

from orders_service import logs, wiring
from orders_service.events.relay import Relay
from orders_service.settings import Settings, of_process
from orders_service.workers import loop
from orders_service.workers.broker import broker
from orders_service.workers.loop import Worker
from orders_service.workers.purging import Purging


def build(settings: Settings) -> Worker:
    """The relay of the catalog database. It also purges the outbox."""
    engine = wiring.relay_engine(settings.catalog_database_url)
    relay = Relay(
        engine,
        broker(settings).producer(),
        owner=wiring.owner(),
        lease_seconds=settings.relay_lease_seconds,
    )
    return Purging(relay, sessionmaker(engine), keep=timedelta(days=settings.outbox_keep_days))


@click.command("catalog-relay")
def main() -> None:
    """Send the events of the catalog's outbox to the broker until stopped."""
    settings = of_process("catalog-relay")
    logs.configure(settings.log_level)
    loop.run(build(settings), "catalog-relay")
