"""The command `orders-service`: a table of its commands, each loaded when it is used."""

import os
import pkgutil
import sys

import click

from orders_service import __version__, endings
from orders_service.processes import PROCESSES

# The commands as `--help` lists them: the processes in the order in which an order passes through them, then
# the tools. Each has the function that is loaded when it is used, and its help.
COMMANDS = {
    "run": ("orders_service.commands.run:main", "Run the whole service in one process, to try it."),
    "first-order": ("orders_service.commands.first_order:main", "Place an order and follow it to its end."),
    "top": ("orders_service.commands.top.command:main", "Show where the orders are, live."),
    **{process.command: (f"{process.module}:main", process.about) for process in PROCESSES},
    "migrate": ("orders_service.commands.migrate:main", "Create or upgrade the tables of both databases."),
    "topics": ("orders_service.commands.topics:main", "Create, list or describe the topics."),
    "outbox": ("orders_service.commands.outbox:main", "List pending events; send events again."),
    "dead-letters": (
        "orders_service.commands.dead_letters:main",
        "List, show, replay, discard or hold records that failed.",
    ),
    "orders": ("orders_service.commands.orders:main", "List and show orders."),
    "catalog": ("orders_service.commands.catalog:main", "List products; add deliveries; correct the stock."),
    "token": ("orders_service.commands.token:main", "Make an access token with AUTH_SECRET."),
    "connectors": (
        "orders_service.commands.connectors.command:main",
        "Create, change and check Kafka Connect's connectors.",
    ),
    "doctor": ("orders_service.commands.doctor.command:main", "Check the deployment, and say what to do."),
    "size": ("orders_service.commands.size:main", "Say what a number of orders a second needs."),
    "config": ("orders_service.commands.config:main", "Show, check or describe the settings."),
}


class Commands(click.Group):
    """Loads the module of a command when it is called: `--help` is instant, a worker loads no Flask."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = pkgutil.resolve_name(COMMANDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orders-service")
def commands() -> None:
    """Orders with events: an API, relays, consumers, and the tools to operate them.

    Settings come from environment variables. `orders-service config show` prints them.
    """


def main() -> None:
    """Run the command given on the command line, and exit with its exit code."""
    os.umask(0o077)  # Other users must not read the database and log files that `run` creates.
    endings.open_closed_streams()
    endings.replace_unencodable_characters()
    sys.exit(endings.end(lambda: commands(standalone_mode=False)))
