"""The options with which a command selects dead letters."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from orders_service.commands import arguments
from orders_service.contract.limits import TEXT_MAX
from orders_service.events.dead_letter_search import NotARecordId, RecordId
from orders_service.operations.letters import Selection

Command = Callable[..., None]


class RecordIdParameter(click.ParamType):  # type: ignore[type-arg]
    """A parameter of the form `topic-partition@offset`."""

    name = "record"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> RecordId:
        try:
            return RecordId.parse(value)
        except NotARecordId as error:
            raise click.ClickException(str(error)) from error


def selected(command: Command) -> Command:
    """Add the options that select dead letters: RECORD, --all, --reason, --error, --group; and --dry-run."""

    @click.argument("record_id", metavar="[RECORD]", required=False, type=RecordIdParameter())
    @click.option("--all", "everything", is_flag=True, help="All that are not on hold.")
    @click.option("--reason", help="All with this reason.")
    @click.option("--error", help="All with this error, as `groups` prints it.")
    @click.option("--group", help="Only those of this consumer group.")
    @click.option("--held", is_flag=True, help="Also those that are on hold.")
    @click.option("--note", callback=arguments.text(TEXT_MAX), help="Why: it is kept with them.")
    @click.option("--dry-run", is_flag=True, help="Only print what would be done.")
    @wraps(command)
    def with_selection(
        record_id: RecordId | None,
        everything: bool,
        reason: str | None,
        error: str | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        if record_id and (everything or reason or error):
            raise click.UsageError("RECORD selects one dead letter. Leave out --all, --reason and --error.")
        if not (record_id or everything or reason or error):
            raise click.UsageError("Select dead letters with RECORD, --all, --reason or --error.")
        named = {name: options.pop(name) for name in ("group", "held")}
        selection = Selection(record_id=record_id, reason=reason, error=error, **named)
        command(selection, dry_run, **options)

    return with_selection
