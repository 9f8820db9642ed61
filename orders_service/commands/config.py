"""`config show|check|describe`: the current settings, their problems, the reference page of all settings."""

import dataclasses
import os
from typing import Any

import click

from orders_service.commands.output import print_json
from orders_service.printable import safe, without_user
from orders_service.setting_kinds import shown
from orders_service.settings import FIELDS, Settings, warn_of_misspelt


@click.group("config")
def main() -> None:
    """Show, check or describe the settings."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def show(as_json: bool) -> None:
    """Print all settings, without passwords.

    A star marks those that the environment sets, ✘ those that are invalid. If one is, the exit code is 2.
    """
    warn_of_misspelt()
    examined = Settings.examine()
    wrong = dict(reversed(examined.problems))  # A setting's first problem is shown beside it.
    values = examined.settings.show() | {name: _given(name) for name in examined.invalid}
    if as_json:
        print_json(_as_json(name, value, wrong.get(name)) for name, value in values.items())
    else:
        for name, value in values.items():
            mark = "✘" if name in wrong else "*" if is_set(name) else " "
            about = wrong.get(name) or FIELDS[name.lower()].metadata["about"]
            click.echo(f"{mark} {safe(f'{name}={value}'):<64} # {safe(about)}")
    examined.refuse()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON for a script.")
def check(as_json: bool) -> None:
    """Check all settings: print "valid", or every problem.

    The exit code is 2 if a setting is invalid.
    """
    warn_of_misspelt()
    examined = Settings.examine()
    if as_json:
        print_json({"name": name, "problem": safe(problem)} for name, problem in examined.problems)
    examined.refuse()
    if not as_json:
        click.echo("valid")


def is_set(name: str) -> bool:
    """Whether the environment sets this setting, or names a file with its value."""
    is_secret = FIELDS[name.lower()].metadata["secret"]
    return bool(os.environ.get(name) or (is_secret and os.environ.get(f"{name}_FILE")))


def _given(name: str) -> str:
    """The shown part of an invalid setting's value. A malformed secret is hidden as a whole."""
    if FIELDS[name.lower()].metadata["secret"]:
        return "***" if is_set(name) else ""
    return without_user(os.environ.get(name, ""))


def _as_json(name: str, value: str, problem: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "value": safe(value),
        "isSet": is_set(name),
        "about": FIELDS[name.lower()].metadata["about"],
        "problem": problem and safe(problem),
    }


PAGE = """\
# Settings

All settings are environment variables. A process reads them once, when it starts, and checks them before it
does anything else. If settings that it uses are invalid, alone or together, it ends with exit code 2 and a
message that names each of them. A setting that a process does not use never stops it: `orders-relay` runs
with an invalid `API_PORT`.

An empty variable counts as unset, and blanks around a value are removed. A variable that looks like a
setting but is not one (`API_PRT`) is reported when a process starts, with the name of a similar setting.
`orders-service config check` checks all settings, and `orders-service config show` prints them with their
values. A secret can be read from a file, whose path is in `…_FILE`. No secret, and nothing between `//` and
`@`, is ever printed.

This page is written by `orders-service config describe > docs/settings.md`.

| setting | what it is | default | allowed |
|---|---|---|---|
"""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def describe(as_json: bool) -> None:
    """Print the reference page of all settings, in Markdown."""
    if as_json:
        print_json(_described(name.upper(), field) for name, field in FIELDS.items())
    else:
        click.echo(PAGE + "\n".join(_row(name.upper(), field) for name, field in FIELDS.items()))


def _described(name: str, field: dataclasses.Field[Any]) -> dict[str, Any]:
    metadata = field.metadata
    return {
        "name": name,
        "about": metadata["about"],
        "default": shown(field.default, field),
        "allowed": metadata["field"].metadata["allowed"],
        "isSecret": bool(metadata["secret"]),
    }


def _row(name: str, field: dataclasses.Field[Any]) -> str:
    metadata = field.metadata
    names = f"`{name}`, `{name}_FILE`: secret" if metadata["secret"] else f"`{name}`"
    default = shown(field.default, field)
    about, allowed = metadata["about"], metadata["field"].metadata["allowed"]
    return f"| {names} | {about} | {f'`{default}`' if default else ''} | {allowed} |"
