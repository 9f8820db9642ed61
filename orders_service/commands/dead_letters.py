"""`dead-letters list|show|replay|discard`: what becomes of records that were given up on."""

import getpass
import json
import socket
from collections.abc import Callable, Iterator
from functools import partial

import click
from sqlalchemy.orm import Session

from orders_service import wiring
from orders_service.catalog.handlers import on_order_discarded
from orders_service.database import in_transaction, utc_now
from orders_service.events import dead_letters
from orders_service.events.consumer import Handler, Received, is_of_a_record, read, verdict_on
from orders_service.events.dead_letters import place_of
from orders_service.events.errors import Unreadable
from orders_service.events.tables import DeadLetter
from orders_service.orders.handlers import on_stock_answered
from orders_service.settings import Settings, of_process
from orders_service.workers import stock_consumer

SHOWN = 60


@click.group("dead-letters")
def main() -> None:
    """Look at records that were given up on; replay or discard them. Who did it, and when, is kept."""


@main.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were replayed or discarded.")
@click.option("--reason", help="Only those with this reason: unreadable, conflicting, …")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(everything: bool, reason: str | None, as_json: bool) -> None:
    """Print the dead letters, oldest first."""
    letters = [
        letter
        for _, session in _databases()
        for letter in dead_letters.find(session, reason=reason, resolved=everything)
    ]
    if as_json:
        click.echo(json.dumps([_shown(letter) for letter in letters]))
        return
    for letter in letters:
        resolved = f"  {letter.resolution} by {letter.resolved_by}" if letter.resolution else ""
        click.echo(f"{place_of(letter)}  {letter.reason}  {letter.detail[:SHOWN]}{resolved}")
    if not letters:
        click.echo("No dead letters.")


@main.command()
@click.argument("place")
def show(place: str) -> None:
    """Print one dead letter whole; PLACE is topic-partition@offset."""
    for _, session in _databases():
        for letter in dead_letters.find(session, place=place, resolved=True):
            click.echo(json.dumps(_shown(letter), indent=2, ensure_ascii=False))
            return
    raise click.ClickException(f"there is no dead letter {place}")


def _choice(command: Callable[..., None]) -> Callable[..., None]:
    """Which dead letters: one, or all, or all with a reason."""
    command = click.argument("place", required=False)(command)
    command = click.option("--all", "everything", is_flag=True, help="Every one that waits.")(command)
    command = click.option("--reason", help="Every one that waits with this reason.")(command)
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")(command)


@main.command()
@_choice
def replay(place: str | None, everything: bool, reason: str | None, dry_run: bool) -> None:
    """Hand dead letters to their handler again, each in a transaction of its own."""
    settings = Settings.read(process="dead-letters")
    handlers: dict[str, Handler] = {
        "catalog": stock_consumer.handler(settings),
        "orders": on_stock_answered,
    }
    _resolve("replayed", handlers, place, everything, reason, dry_run)


@main.command()
@_choice
def discard(place: str | None, everything: bool, reason: str | None, dry_run: bool) -> None:
    """Give dead letters up. A placed order that can be read is answered *rejected, discarded*.

    A cancellation that has pieces to give back is not given up: replay it.
    """
    handlers: dict[str, Handler] = {
        "catalog": partial(
            on_order_discarded, outbox=wiring.catalog_outbox(Settings.read(process="dead-letters"))
        ),
        "orders": lambda *_: [],
    }
    _resolve("discarded", handlers, place, everything, reason, dry_run)


def _resolve(
    resolution: str,
    handlers: dict[str, Handler],
    place: str | None,
    everything: bool,
    reason: str | None,
    dry_run: bool,
) -> None:
    if not (place or everything or reason):
        raise click.UsageError("Say which: PLACE, --all or --reason.")
    found = failed = 0
    for name, session in _databases():
        for letter in list(dead_letters.find(session, place=place, reason=reason)):
            found += 1
            label = place_of(letter)
            if dry_run:
                click.echo(f"{label}: would be {resolution}")
                continue
            work = partial(_apply, letter=letter, handler=handlers[name], resolution=resolution)
            try:
                in_transaction(session, work)
            except Exception as error:
                if not is_of_a_record(error):
                    raise
                failed += 1
                verdict = verdict_on(error)
                click.echo(f"{label}: not {resolution}, {verdict.reason}: {verdict}")
            else:
                click.echo(f"{label}: {resolution}")
    if not found:
        click.echo("No dead letters wait." if place is None else f"No dead letter {place} waits.")
    if failed:
        raise click.ClickException(f"{failed} of {found} stay as they are")


def _apply(session: Session, *, letter: DeadLetter, handler: Handler, resolution: str) -> None:
    """Apply one letter and note what became of it, in one transaction."""
    record = dead_letters.record_of(letter)
    try:
        event = read(record)
    except Unreadable:
        if resolution == "replayed":
            raise
        event = None
    for _, error in handler(session, [Received(event, record)]) if event else ():
        raise error
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    dead_letters.resolve(session, letter, resolution=resolution, by=who, at=utc_now())


def _databases() -> Iterator[tuple[str, Session]]:
    for name, url in wiring.urls(of_process("dead-letters")).items():
        with wiring.one_session(url) as session:
            yield name, session


def _shown(letter: DeadLetter) -> dict[str, object]:
    record = dead_letters.record_of(letter)
    return {
        "place": place_of(letter),
        "timestamp": letter.record_timestamp,
        "group": letter.consumer_group,
        "reason": letter.reason,
        "detail": letter.detail,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": {name: _text(value) for name, value in record.headers},
        "createdAt": letter.created_at.isoformat(),
        "resolution": letter.resolution,
        "resolvedBy": letter.resolved_by,
        "resolvedAt": letter.resolved_at and letter.resolved_at.isoformat(),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
