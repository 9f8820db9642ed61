"""`python -m lab`: the laboratory's command line."""

import json
import os
import sys
from dataclasses import asdict

import click

from .display import exports, reports, table
from .errors import LabError, WrongServers
from .laboratory import Lab
from .practice import STEPS, practice
from .shell import shell
from .shell.commands import run as run_slide
from .shell.home import advice as unknown_advice
from .slides import advice
from .tools import KAFKA, connect_standalone, kafka_tool, mariadb_client

# The arguments after the command are passed to the tool unchanged.
AS_IT_IS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


class Commands(click.Group):
    """The lab's commands. A `LabError` becomes one line and exit code 1."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            raise click.UsageError(advice(args[0], args[1:], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
def main() -> None:
    """Real servers on this machine, for the course and for the tests. Passwords are NAME-pw."""


@main.command()
@click.option("--brokers", type=click.Choice(["1", "3"]), help="How many brokers; remembered. At first 1.")
@click.option("--connect", is_flag=True, help="Kafka Connect too; remembered.")
@click.option("--galera", is_flag=True, help="A Galera cluster in place of one MariaDB; remembered.")
@click.option(
    "--export", is_flag=True, help='Print only the environment: eval "$(python -m lab up --export)".'
)
def up(brokers: str | None, connect: bool, galera: bool, export: bool) -> None:
    """Start what does not run, and wait until it answers."""
    out = sys.stderr if export else sys.stdout
    lab = Lab(brokers=int(brokers) if brokers else None, connect=connect, galera=galera, out=out)
    lab.up()
    if not export:
        click.echo(f"\n{table(reports(lab.servers))}\n")
    click.echo("\n".join(exports(lab.environment())))
    if not export:
        click.echo('\nNext: eval "$(python -m lab up --export)" && orders-service migrate')


@main.command()
def down() -> None:
    """Stop everything; the data stays."""
    Lab().down()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For a script.")
def status(as_json: bool) -> None:
    """Tell what runs. Exit code 1 unless everything answers."""
    found = reports(Lab().servers)
    click.echo(json.dumps([asdict(one) for one in found], indent=2) if as_json else table(found))
    sys.exit(any(one.state != "answers" for one in found))


@main.command()
@click.argument("name")
def start(name: str) -> None:
    """Start one server, such as kafka-2 or connect."""
    lab = Lab(out=sys.stdout)
    lab.start(lab.named(name))


@main.command()
@click.argument("name")
def stop(name: str) -> None:
    """Stop one server, such as kafka-2 or connect."""
    lab = Lab()
    lab.stop(lab.named(name))


@main.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows.")
def logs(name: str, follow: bool) -> None:
    """Show the end of a server's log."""
    found = [str(server.log) for server in Lab().named(name)]
    os.execvp("tail", ["tail", *(["-F"] if follow else []), "-n", "100", *found])


@main.command()
@click.argument("names", nargs=-1)
@click.confirmation_option(prompt="Stop everything and remove all that the lab's Kafka and MariaDB hold?")
def reset(names: tuple[str, ...]) -> None:
    """Stop everything and remove its data."""
    if names:
        raise WrongServers(
            f"cannot reset only {' and '.join(names)}: MariaDB notes what was sent to Kafka, Kafka how much "
            "of it was applied in MariaDB: events would be lost; `python -m lab reset` removes both"
        )
    Lab().reset()


@main.command(name="practice")
@click.argument("steps", nargs=-1, type=click.IntRange(1, len(STEPS)), metavar="[STEP]...")
@click.option("--from", "first", type=click.IntRange(1, len(STEPS)), help="All steps from this one on.")
@click.option("--pause", is_flag=True, help="Show each command, and run it when you press Enter.")
@click.option("--keep", is_flag=True, help="Leave all that was made, to look at.")
@click.option("--yes", is_flag=True, help="Do not ask before something is removed that was there already.")
def practise(steps: tuple[int, ...], first: int | None, pause: bool, keep: bool, yes: bool) -> None:
    """Walk the course's nine steps on the running lab, or some of them, and remove what they made."""
    if steps and first:
        raise click.UsageError("name the steps, or the first one with --from, not both")
    asks = sys.stdin.isatty() and not yes
    done = practice(
        Lab(),
        range(first, len(STEPS) + 1) if first else steps,
        keep=keep,
        pause=_await_enter if pause else None,
        agree=(lambda _: click.confirm("Go on?")) if asks else (lambda _: True),
    )
    if not done:
        sys.exit(1)


def _await_enter() -> None:
    """Wait for Enter. The end of input, as Ctrl-D gives it, stops the practice as Ctrl-C does."""
    try:
        input("    Enter runs it ")
    except EOFError:
        raise KeyboardInterrupt from None


@main.command(name="mariadb", context_settings=AS_IT_IS)
@click.option("-u", "--user", default="root", help="orders, catalog, dbz, sink or root.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def mariadb(user: str, arguments: tuple[str, ...]) -> None:
    """Open MariaDB's own client, logged in."""
    mariadb_client(Lab(), user, arguments)


@main.command(name="connect-standalone", context_settings=AS_IT_IS, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def standalone(arguments: tuple[str, ...]) -> None:
    """Run Kafka's own connect-standalone."""
    connect_standalone(Lab(), arguments)


@main.command(name="shell")
@click.option("-c", "command", metavar="COMMAND", help="Run only this command, as `sh -c` does.")
def open_shell(command: str | None) -> None:
    """Open a shell in which the commands of the course's slides work; starts the lab if it is down."""
    sys.exit(shell(Lab(), command))


@main.command(name="slide", context_settings=AS_IT_IS, add_help_option=False, hidden=True)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def slide(name: str, arguments: tuple[str, ...]) -> None:
    """Run a command of the lab's shell that starts or stops a server."""
    click.echo(run_slide(Lab(), name, arguments))


@main.command(name="unknown", context_settings=AS_IT_IS, add_help_option=False, hidden=True)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def unknown(arguments: tuple[str, ...]) -> None:
    """Say that the lab's shell does not know a command."""
    click.echo(unknown_advice(arguments[0]), err=True)


def tool(name: str) -> click.Command:
    """A click command that passes all its arguments to one of Kafka's tools."""

    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def run(arguments: tuple[str, ...]) -> None:
        kafka_tool(Lab(), name, arguments)

    told = f"Run Kafka's own {name}."
    return click.command(name, context_settings=AS_IT_IS, add_help_option=False, help=told)(run)


for name in KAFKA:
    main.add_command(tool(name))


if __name__ == "__main__":
    main(prog_name="python -m lab")
