"""The process that carries the catalog's outbox to the broker."""

from datetime import timedelta

import click

from orders_service import logs, wiring
from orders_service.events.relay import Relay
from orders_service.settings import Settings
from orders_service.workers import loop
from orders_service.workers.broker import broker


def build(settings: Settings) -> Relay:
    """The relay of the catalog database."""
    return Relay(
        wiring.sessions(settings.catalog_database_url),
        broker(settings).producer(),
        owner=wiring.owner(),
        lease_seconds=settings.relay_lease_seconds,
        keep=timedelta(days=settings.outbox_keep_days),
    )


@click.command("catalog-relay")
def main() -> None:
    """Carry the catalog's outbox to the broker until told to stop."""
    settings = Settings.read()
    logs.configure(settings.log_level)
    loop.run(build(settings), "catalog-relay")
