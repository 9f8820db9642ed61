"""`dead-letters list|show|groups|replay|discard|hold|release`: the operator's tools for dead letters."""

import getpass
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import click
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.commands.dead_letter_json import indented_json, record_json, summary_json
from orders_service.commands.dead_letter_selection import RecordIdParameter, selected
from orders_service.commands.output import instant, print_json, print_table
from orders_service.database.engines import one_session
from orders_service.events import dead_letter_search
from orders_service.events.dead_letter_search import ANY_STATE, UNRESOLVED, Filter, RecordId, State, Summary
from orders_service.operations import letters
from orders_service.operations.letters import Decision, Group, Handlers, Operator, Selection
from orders_service.printable import printable
from orders_service.processes import DatabaseName
from orders_service.settings import Settings, of_process
from orders_service.workers import build

SHOWN = 60
GROUPS_HEAD = ("COUNT", "ON HOLD", "REASON", "ERROR", "GROUP", "NEWEST")
NONE_WAIT = "No unresolved dead letters. Those on hold are left alone: name them, or give --held."
NONE_ON_HOLD = "No dead letters on hold."


@click.group("dead-letters")
def main() -> None:
    """List, show, replay, discard or hold records that could not be read or applied.

    The user and the time of each replay, discard and hold are recorded.
    """


@main.command("list")
@click.option("--all", "everything", is_flag=True, help="Include those that were replayed or discarded.")
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only those in this state.")
@click.option("--reason", help="Only this reason: unreadable, conflicting, …")
@click.option("--error", help="Only this error, as `groups` prints it.")
@click.option("--group", help="Only those of this consumer group.")
@click.option("--limit", type=click.IntRange(min=1), help="Print at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_(everything: bool, state: str | None, limit: int | None, as_json: bool, **options: Any) -> None:
    """List dead letters, sorted by topic, partition and offset.

    Those on hold are listed, too, with who put them there and why. `show` prints one with its record.
    """
    if everything and state:
        raise click.UsageError("--state selects one state. Leave out --all.")
    states = ANY_STATE if everything else frozenset({State(state)}) if state else UNRESOLVED
    found = islice(_listed(Filter(states=states, **options)), limit)
    if as_json:
        print_json(map(summary_json, found))
        return
    is_empty = True
    for letter in found:
        line = f"{letter.record_id}  {letter.group}  {letter.reason}  {letter.detail[:SHOWN]}"
        click.echo(printable(line + _decided(letter)))
        is_empty = False
    if is_empty:
        click.echo("No dead letters.")


def _decided(letter: Summary) -> str:
    """What an operator has decided about a letter, for its line in the list."""
    if letter.resolution:
        return f"  {letter.resolution} by {letter.resolved_by}"
    if letter.state == State.WAITING:
        return ""
    return f"  on hold by {letter.held_by}" + (f": {letter.note}" if letter.note else "")


@main.command()
@click.argument("record_id", metavar="RECORD", type=RecordIdParameter())
@click.option("--group", help="The consumer group, if several have this record.")
def show(record_id: RecordId, group: str | None) -> None:
    """Print a dead letter and its record.

    RECORD is topic-partition@offset, as `list` prints it.
    """
    found = False
    with closing(_databases()) as databases:
        for _, session in databases:
            for listed in dead_letter_search.find(
                session, Filter(record_id=record_id, group=group, states=ANY_STATE)
            ):
                if letter := dead_letter_search.whole(session, listed):
                    found = True
                    click.echo(
                        indented_json(summary_json(listed) | {"detail": letter.detail} | record_json(letter))
                    )
    if not found:
        raise click.ClickException(f"dead letter {record_id} does not exist")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def groups(as_json: bool) -> None:
    """Print the unresolved dead letters by cause: their number, reason and error.

    The error is the first line of the detail. Ids and numbers, which differ from record to record, are shown
    as `…`. --error selects the dead letters with an error.
    """
    found = letters.groups(_listed(Filter()))
    if as_json:
        print_json(group.as_json() for group in found)
    elif not print_table(GROUPS_HEAD, map(_row_of_group, found)):
        click.echo("No unresolved dead letters.")


def _row_of_group(group: Group) -> tuple[object, ...]:
    return (group.count, group.on_hold, group.reason, group.error, group.group, instant(group.last_at))


@main.command()
@selected
def replay(selection: Selection, dry_run: bool, note: str | None) -> None:
    """Apply dead letters again; RECORD is topic-partition@offset.

    The handler of their consumer group is called, once per letter, each in its own transaction.
    """
    handlers = letters.handlers(Settings.read(process="dead-letters"), build.handler)
    _decide("replay", selection, dry_run, note, handlers)


@main.command()
@selected
def discard(selection: Selection, dry_run: bool, note: str | None) -> None:
    """Discard dead letters; RECORD is topic-partition@offset.

    They are not applied. The catalog rejects a placed order that can be read, with the reason *discarded*.

    A cancellation that still has pieces to release is not discarded: replay it.
    """
    handlers = letters.handlers(Settings.read(process="dead-letters"), build.discard_handler)
    _decide("discard", selection, dry_run, note, handlers)


@main.command()
@selected
def hold(selection: Selection, dry_run: bool, note: str | None) -> None:
    """Put dead letters on hold; RECORD is topic-partition@offset.

    They are kept and listed, but no longer counted: neither `/metrics` nor `doctor` reports them.

    `replay` and `discard` leave them alone, unless you name the RECORD or give --held.
    """
    _decide("hold", selection, dry_run, note)


@main.command()
@selected
def release(selection: Selection, dry_run: bool, note: str | None) -> None:
    """Release dead letters that are on hold: they wait again, and are counted.

    RECORD is topic-partition@offset.
    """
    _decide("release", selection, dry_run, note)


def _decide(
    decision: Decision,
    selection: Selection,
    dry_run: bool,
    note: str | None,
    handlers: Handlers | None = None,
) -> None:
    found = failed = 0
    done = letters.DONE[decision]
    operator = Operator(
        decision=decision, by=_operator(), note=note, handlers=handlers or {}, dry_run=dry_run
    )
    with closing(_databases()) as databases:
        for letter, decide in operator.find(databases, selection):
            problem = decide()
            found += 1
            failed += bool(problem)
            text = f"not {done}, {problem}" if problem else f"would be {done}" if dry_run else done
            click.echo(printable(f"{letter.record_id} of {letter.group}: {text}"))
    if not found and selection.record_id:
        is_held = "is not on hold" if decision == "release" else "is already resolved"
        raise click.ClickException(f"dead letter {selection.record_id} does not exist or {is_held}")
    if not found:
        click.echo(NONE_ON_HOLD if decision == "release" else NONE_WAIT)
    if failed:
        raise click.ClickException(f"{failed} of {found} dead letters are still unresolved")


def _operator() -> str:
    """The user and host of this process, for the record. In a container the user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _listed(only: Filter) -> Iterator[Summary]:
    with closing(_databases()) as databases:
        for _, session in databases:
            yield from dead_letter_search.find(session, only)


def _databases() -> Generator[tuple[set[DatabaseName], Session], None, None]:
    """A session for each database, with its names. If orders and catalog share a database, it has both.

    Close it: otherwise, after an error, the interpreter does so at its end, when the connections are gone.
    """
    urls = resources.urls(of_process("dead-letters"))
    for url in dict.fromkeys(urls.values()):
        with one_session(url) as session:
            yield {name for name, its in urls.items() if its == url}, session
