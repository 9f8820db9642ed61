"""`connectors apply|list|status|restart|delete`: manage Kafka Connect's connectors from files."""

import sys
from pathlib import Path

import click

from orders_service.commands.connectors.rest import FOLDER, Config, Connect, ConnectError, load
from orders_service.commands.output import print_json
from orders_service.printable import printable, without_passwords
from orders_service.settings import of_process

OUTBOX_ROUTER = "io.debezium.transforms.outbox.EventRouter"


@click.group("connectors")
def main() -> None:
    """Create, change and check the connectors in Kafka Connect (CONNECT_URL)."""


@main.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, help="A folder with other connectors."
)
def apply(names: tuple[str, ...], folder: Path) -> None:
    """Create or change connectors, and wait until they run.

    All are applied or none. Safe to repeat.
    """
    settings = of_process("connectors")
    connect = Connect(settings.connect_url)
    configs = {name: load(name, folder) for name in names}
    for name, config in configs.items():
        if OUTBOX_ROUTER in config.values() and settings.events_via != "cdc":
            raise ConnectError(
                f"{name}: EVENTS_VIA is not cdc, so orders-relay sends the same events. Set EVENTS_VIA=cdc"
            )
        connect.validate(name, config)
    before = {name: connect.config(name) for name in names}
    try:
        for name, config in configs.items():
            connect.put(name, config)
            if before[name] is not None:
                connect.restart(name, only_failed=True)
            connect.await_running(name)
            click.echo(f"{name}: RUNNING")
    except ConnectError:
        _put_back(connect, before)
        raise


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(as_json: bool) -> None:
    """Print the connectors' names."""
    names = _connect().names()
    if as_json:
        print_json({"connector": name} for name in names)
        return
    for name in names:
        click.echo(printable(name))


@main.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def status(names: tuple[str, ...], as_json: bool) -> None:
    """Print the state of connectors and tasks.

    The exit code is 1 if one is not RUNNING.
    """
    connect = _connect()
    states = {name: connect.states(name) for name in names or connect.names()}
    if as_json:
        print_json(
            {"connector": name, "part": part, "state": state, "cause": without_passwords(cause) or None}
            for name, of in states.items()
            for part, state, cause in of
        )
    else:
        for name, of in states.items():
            for part, state, cause in of:
                line = f"{name}  {part}  {state}{f'  {cause}' if cause else ''}"
                click.echo(printable(without_passwords(line)))
    sys.exit(any(state != "RUNNING" for of in states.values() for _, state, _ in of))


@main.command()
@click.argument("names", nargs=-1, required=True)
def restart(names: tuple[str, ...]) -> None:
    """Restart connectors with their tasks, and wait until they run."""
    connect = _connect()
    for name in names:
        if connect.config(name) is None:
            raise ConnectError(f"Kafka Connect has no connector {name}")
        connect.restart(name)
        connect.await_running(name)
        click.echo(f"{name}: RUNNING")


@main.command()
@click.argument("names", nargs=-1, required=True)
def delete(names: tuple[str, ...]) -> None:
    """Remove connectors."""
    connect = _connect()
    for name in names:
        connect.delete(name)
        click.echo(f"{name}: deleted")


def _connect() -> Connect:
    return Connect(of_process("connectors").connect_url)


def _put_back(connect: Connect, before: dict[str, Config | None]) -> None:
    """Undo a failed `apply`: delete connectors that are new, restore the configuration of the others."""
    for name, config in before.items():
        if config is not None:
            connect.put(name, config)
        elif connect.config(name) is not None:
            connect.delete(name)
