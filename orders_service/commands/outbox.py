"""`outbox list|requeue|resend|purge`: the operator's tools for the outboxes."""

from datetime import datetime, timedelta

import click

from orders_service import resources
from orders_service.commands.output import print_json
from orders_service.database.columns import utc_now
from orders_service.database.engines import one_session
from orders_service.events import pending
from orders_service.events.requeue import events_set_aside, requeue_set_aside, requeue_since
from orders_service.events.upkeep import purge_all
from orders_service.orders import service
from orders_service.printable import printable, without_passwords
from orders_service.processes import DATABASES, DatabaseName
from orders_service.settings import of_process


@click.group("outbox")
def main() -> None:
    """List the events in the outboxes, and send events again."""


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(as_json: bool) -> None:
    """Print pending events per topic, and events that were set aside."""
    settings, now = of_process("outbox"), utc_now()
    found = []
    for name, url in resources.urls(settings).items():
        with one_session(url) as session:
            for lane in pending.by_lane(session):
                age = (now - lane.oldest).total_seconds()
                found.append(
                    {
                        "database": name,
                        "lane": lane.lane,
                        "pending": lane.events,
                        "oldestSeconds": round(age, 1),
                    }
                )
            found += [
                {
                    "database": name,
                    "setAside": row.id,
                    "type": row.type,
                    "order": row.aggregateid,
                    "error": row.error,
                }
                for row in events_set_aside(session)
            ]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("No events are pending or set aside.")
    else:
        for line in found:
            click.echo(
                without_passwords("  ".join(f"{name}={printable(str(v))}" for name, v in line.items()))
            )


@main.command()
@click.option("--database", type=click.Choice(DATABASES), default="orders", show_default=True)
@click.option("--set-aside", is_flag=True, help="All events that the broker refused permanently.")
@click.option("--since", type=click.DateTime(), help="All events recorded since this time (UTC).")
def requeue(database: DatabaseName, set_aside: bool, since: datetime | None) -> None:
    """Send events again. Consumers ignore those they have already applied."""
    if set_aside == (since is not None):
        raise click.UsageError("Select events with --set-aside or --since TIME.")
    settings = of_process("outbox")
    by_relay = not resources.is_sent_by_debezium(settings, database)
    with one_session(resources.url(settings, database)) as session:
        if since is None:
            count = requeue_set_aside(session, pending=by_relay)
        else:
            count = requeue_since(session, since.replace(tzinfo=utc_now().tzinfo), pending=by_relay)
    click.echo(f"{count} events of {database} will be sent again")


@main.command()
@click.option(
    "--pending-older-than", "seconds", type=click.IntRange(min=0), required=True, help="An age in seconds."
)
def resend(seconds: int) -> None:
    """Record order.placed again for orders that are still PENDING.

    The catalog then repeats its answers.
    """
    settings = of_process("outbox")
    with one_session(settings.orders_database_url) as session:
        count = service.resend(
            session,
            placed_before=utc_now() - timedelta(seconds=seconds),
            outbox=resources.outbox(settings, "orders"),
        )
    click.echo(f"{count} orders are still PENDING after {seconds} s; their events will be sent again")


@main.command()
def purge() -> None:
    """Delete events published more than OUTBOX_KEEP_DAYS ago.

    The workers also do this automatically.
    """
    settings = of_process("outbox")
    before = utc_now() - timedelta(days=settings.outbox_keep_days)
    for name, url in resources.urls(settings).items():
        with one_session(url) as session:
            click.echo(f"{name}: {purge_all(session, before=before)} events deleted")
