"""`config show|describe`: the settings in force; the page that tells what can be set."""

import dataclasses
import os
from typing import Any

import click

from orders_service.settings import FIELDS, Settings, shown


@click.group("config")
def main() -> None:
    """Look at the settings."""


@main.command()
def show() -> None:
    """Print every setting, passwords hidden; a star marks what the environment sets."""
    for name, value in Settings.read().show().items():
        star = "*" if is_set(name) else " "
        click.echo(f"{star} {f'{name}={value}':<64} # {FIELDS[name.lower()].metadata['about']}")


def is_set(name: str) -> bool:
    """Whether the environment sets it, or names its file."""
    is_secret = FIELDS[name.lower()].metadata["secret"]
    return bool(os.environ.get(name) or (is_secret and os.environ.get(f"{name}_FILE")))


PAGE = """\
# Settings

All come from the environment, are read once when a process starts, and are checked before it does anything
else: those that cannot be used, alone or together, end it with exit code 2 and a message that names them all.
What is set to nothing is not set. `orders-service config show` prints those in force. A secret is never
printed, and may stand in a file of its own that `…_FILE` names.

Written by `orders-service config describe > docs/settings.md`.

| setting | what it is | default | allowed |
|---|---|---|---|
"""


@main.command()
def describe() -> None:
    """Print the reference page of all settings, in Markdown."""
    click.echo(PAGE + "\n".join(_row(name.upper(), field) for name, field in FIELDS.items()))


def _row(name: str, field: dataclasses.Field[Any]) -> str:
    metadata = field.metadata
    names = f"`{name}`, `{name}_FILE`: secret" if metadata["secret"] else f"`{name}`"
    default = shown(field.default, field)
    about, allowed = metadata["about"], metadata["field"].metadata["allowed"]
    return f"| {names} | {about} | {f'`{default}`' if default else ''} | {allowed} |"
