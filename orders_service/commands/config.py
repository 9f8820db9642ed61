"""`config show|describe`: print the current settings, or the reference page of all settings."""

import dataclasses
import os
from typing import Any

import click

from orders_service.printable import safe
from orders_service.setting_kinds import shown
from orders_service.settings import FIELDS, of_process


@click.group("config")
def main() -> None:
    """Show or describe the settings."""


@main.command()
def show() -> None:
    """Print all settings, without passwords.

    A star marks those that the environment sets.
    """
    for name, value in of_process("config").show().items():
        star = "*" if is_set(name) else " "
        click.echo(f"{star} {safe(f'{name}={value}'):<64} # {FIELDS[name.lower()].metadata['about']}")


def is_set(name: str) -> bool:
    """Whether the environment sets this setting, or names a file with its value."""
    is_secret = FIELDS[name.lower()].metadata["secret"]
    return bool(os.environ.get(name) or (is_secret and os.environ.get(f"{name}_FILE")))


PAGE = """\
# Settings

All settings are environment variables. A process reads them once, when it starts, and checks them before it
does anything else. If settings that it uses are invalid, alone or together, it ends with exit code 2 and a
message that names each of them. A setting that a process does not use never stops it: `orders-relay` runs
with an invalid `API_PORT`.

An empty variable counts as unset, and blanks around a value are removed. A variable that looks like a
setting but is not one (`API_PRT`) is reported when a process starts, with the name of a similar setting.
`orders-service config show` prints all settings and their values. A secret can be read from a file, whose
path is in `…_FILE`. No secret, and nothing between `//` and `@`, is ever printed.

This page is written by `orders-service config describe > docs/settings.md`.

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
