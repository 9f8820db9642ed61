"""One command; a table of words, each loaded when it is used."""

import os
import pkgutil
import sys

import click

from orders_service import __version__, endings

# In the order of an order's way, then the tools.
WORDS = {
    "run": (
        "orders_service.commands.run:main",
        "Run everything in one process, on an embedded database and log.",
    ),
    "first-order": ("orders_service.commands.first_order:main", "Place an order and follow it to its end."),
    "api": ("orders_service.api.server:main", "Serve orders and catalog over HTTP."),
    "orders-relay": ("orders_service.workers.orders_relay:main", "Carry the orders' outbox to the broker."),
    "stock-consumer": ("orders_service.workers.stock_consumer:main", "Reserve and release stock."),
    "catalog-relay": (
        "orders_service.workers.catalog_relay:main",
        "Carry the catalog's outbox to the broker.",
    ),
    "status-consumer": ("orders_service.workers.status_consumer:main", "Confirm or reject orders."),
    "migrate": ("orders_service.commands.migrate:main", "Bring both databases to their newest version."),
    "topics": ("orders_service.commands.topics:main", "Create, list or describe the topics."),
    "outbox": ("orders_service.commands.outbox:main", "Look at what waits to be relayed; send again."),
    "dead-letters": ("orders_service.commands.dead_letters:main", "List, show, replay or discard them."),
    "catalog": ("orders_service.commands.catalog:main", "Bring products and pieces into the catalog."),
    "connectors": ("orders_service.commands.connectors:main", "Apply Kafka Connect's connectors from files."),
    "doctor": ("orders_service.commands.doctor.command:main", "Say what is wrong, and what to do."),
    "config": ("orders_service.commands.config:main", "Show the settings in force."),
}


class Words(click.Group):
    """Loads a word's module when the word is called: `--help` is instant, a worker loads no Flask."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(WORDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in WORDS:
            return None
        command: click.Command = pkgutil.resolve_name(WORDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Words"):
            formatter.write_dl([(word, about) for word, (_, about) in WORDS.items()])


@click.group(cls=Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orders-service")
def words() -> None:
    """An orders microservice with events. Nothing lost, nothing applied twice.

    Settings come from the environment: `orders-service config show`.
    """


def main() -> None:
    """Run the command of the command line, and end with its exit code."""
    os.umask(0o077)  # The databases and the log of `run` are for nobody else to read.
    endings.open_closed_streams()
    endings.let_every_text_be_written()
    sys.exit(endings.end(lambda: words(standalone_mode=False)))
