"""`dead-letters list|show|replay|discard`: the operator's tools for dead letters."""

import getpass
import os
import socket
from collections.abc import Callable, Iterator
from itertools import islice

import click
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.commands.dead_letter_json import indented_json, record_json, summary_json
from orders_service.commands.output import print_json
from orders_service.database.engines import one_session
from orders_service.events import dead_letter_search, resolving
from orders_service.events.consumer import Handler
from orders_service.events.dead_letter_search import Filter, RecordId, Summary
from orders_service.events.resolving import Resolution
from orders_service.printable import printable
from orders_service.processes import CONSUMERS, Consumer, DatabaseName, SettingName
from orders_service.settings import Settings, of_process
from orders_service.workers import build

SHOWN = 60

Handlers = dict[str, tuple[DatabaseName, Handler]]  # By consumer group.


class RecordIdParameter(click.ParamType):  # type: ignore[type-arg]
    """A parameter of the form `topic-partition@offset`."""

    name = "record"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> RecordId:
        try:
            return RecordId.parse(value)
        except dead_letter_search.NotARecordId as error:
            raise click.ClickException(str(error)) from error


@click.group("dead-letters")
def main() -> None:
    """List, show, replay or discard records that could not be read or applied.

    The user and the time of each replay and discard are recorded.
    """


@main.command("list")
@click.option("--all", "everything", is_flag=True, help="Include those that were replayed or discarded.")
@click.option("--reason", help="Only this reason: unreadable, conflicting, …")
@click.option("--group", help="Only those of this consumer group.")
@click.option("--limit", type=click.IntRange(min=1), help="Print at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_(everything: bool, reason: str | None, group: str | None, limit: int | None, as_json: bool) -> None:
    """List dead letters, sorted by topic, partition and offset.

    `show` prints one of them with its record.
    """
    only = Filter(group=group, reason=reason, resolved=everything)
    letters = islice(_listed(only), limit)
    if as_json:
        print_json(map(summary_json, letters))
        return
    found = False
    for letter in letters:
        resolved = f"  {letter.resolution} by {letter.resolved_by}" if letter.resolution else ""
        line = f"{letter.record_id}  {letter.group}  {letter.reason}  {letter.detail[:SHOWN]}{resolved}"
        click.echo(printable(line))
        found = True
    if not found:
        click.echo("No dead letters.")


@main.command()
@click.argument("record_id", metavar="RECORD", type=RecordIdParameter())
@click.option("--group", help="The consumer group, if several have this record.")
def show(record_id: RecordId, group: str | None) -> None:
    """Print a dead letter and its record.

    RECORD is topic-partition@offset, as `list` prints it.
    """
    found = False
    for _, session in _databases():
        for listed in dead_letter_search.find(
            session, Filter(record_id=record_id, group=group, resolved=True)
        ):
            if letter := dead_letter_search.whole(session, listed):
                found = True
                click.echo(
                    indented_json(summary_json(listed) | {"detail": letter.detail} | record_json(letter))
                )
    if not found:
        raise click.ClickException(f"dead letter {record_id} does not exist")


def _selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select dead letters: RECORD, --all, --reason, --group; and --dry-run."""
    command = click.argument("record_id", metavar="[RECORD]", required=False, type=RecordIdParameter())(
        command
    )
    command = click.option("--all", "everything", is_flag=True, help="All unresolved dead letters.")(command)
    command = click.option("--reason", help="All unresolved dead letters with this reason.")(command)
    command = click.option("--group", help="Only those of this consumer group.")(command)
    return click.option("--dry-run", is_flag=True, help="Only print what would be done.")(command)


@main.command()
@_selection_options
def replay(
    record_id: RecordId | None, everything: bool, reason: str | None, group: str | None, dry_run: bool
) -> None:
    """Apply dead letters again; RECORD is topic-partition@offset.

    The handler of their consumer group is called, once per letter, each in its own transaction.
    """
    settings = Settings.read(process="dead-letters")
    handlers = _handlers(settings, build.handler)
    _check(record_id, everything, reason)
    _resolve("replayed", handlers, Filter(record_id=record_id, group=group, reason=reason), dry_run)


@main.command()
@_selection_options
def discard(
    record_id: RecordId | None, everything: bool, reason: str | None, group: str | None, dry_run: bool
) -> None:
    """Discard dead letters; RECORD is topic-partition@offset.

    They are not applied. The catalog rejects a placed order that can be read, with the reason *discarded*.

    A cancellation that still has pieces to release is not discarded: replay it.
    """
    settings = Settings.read(process="dead-letters")
    handlers = _handlers(settings, build.discard_handler)
    _check(record_id, everything, reason)
    _resolve("discarded", handlers, Filter(record_id=record_id, group=group, reason=reason), dry_run)


def _handlers(settings: Settings, made: Callable[[Consumer, Settings], Handler]) -> Handlers:
    return {
        resources.group(settings, consumer): (consumer.database, made(consumer, settings))
        for consumer in CONSUMERS
    }


def _check(record_id: RecordId | None, everything: bool, reason: str | None) -> None:
    if record_id and (everything or reason):
        raise click.UsageError("RECORD selects one dead letter. Leave out --all and --reason.")
    if not (record_id or everything or reason):
        raise click.UsageError("Select dead letters with RECORD, --all or --reason.")


def _resolve(resolution: Resolution, handlers: Handlers, only: Filter, dry_run: bool) -> None:
    found = failed = 0
    for names, session in _databases():
        for letter in dead_letter_search.find(session, only):
            found += 1
            name, handler = handlers.get(letter.group, (None, None))
            if name is None or handler is None:
                problem = _unknown_group(handlers)
            elif name not in names:
                problem = f"its group belongs to the {name} database"
            elif dry_run:
                problem = ""
            else:
                problem = resolving.resolve(session, letter, handler, resolution=resolution, by=_operator())
            failed += bool(problem)
            done = f"not {resolution}, {problem}" if problem else resolution
            would = "would be " if dry_run and not problem else ""
            click.echo(printable(f"{letter.record_id} of {letter.group}: {would}{done}"))
    if not found and only.record_id:
        raise click.ClickException(f"dead letter {only.record_id} does not exist or is already resolved")
    if not found:
        click.echo("No unresolved dead letters.")
    if failed:
        raise click.ClickException(f"{failed} of {found} dead letters are still unresolved")


def _unknown_group(handlers: Handlers) -> str:
    named = [consumer.group.name for consumer in CONSUMERS if isinstance(consumer.group, SettingName)]
    return f"its group is neither {' nor '.join(handlers)}. Set {' or '.join(named)} to it for this command"


def _operator() -> str:
    """The user and host of this process, for the record. In a container the user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _listed(only: Filter) -> Iterator[Summary]:
    for _, session in _databases():
        yield from dead_letter_search.find(session, only)


def _databases() -> Iterator[tuple[set[DatabaseName], Session]]:
    """A session for each database, with its names. If orders and catalog share a database, it has both."""
    urls = resources.urls(of_process("dead-letters"))
    for url in dict.fromkeys(urls.values()):
        with one_session(url) as session:
            yield {name for name, its in urls.items() if its == url}, session
