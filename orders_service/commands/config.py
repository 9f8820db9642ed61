"""`config show`: the settings in force."""

import os

import click

from orders_service.settings import FIELDS, Settings


@click.group("config")
def main() -> None:
    """Look at the settings."""


@main.command()
def show() -> None:
    """Print every setting, passwords hidden; a star marks what the environment sets."""
    for name, value in Settings.read().show().items():
        metadata = FIELDS[name.lower()].metadata
        is_set = os.environ.get(name) or (metadata["secret"] and os.environ.get(f"{name}_FILE"))
        star = "*" if is_set else " "
        click.echo(f"{star} {f'{name}={value}':<64} # {metadata['about']}")
