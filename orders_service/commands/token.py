"""`token`: makes an access token with AUTH_SECRET, for trying the API and for scripts."""

import re

import click

from orders_service.commands import arguments
from orders_service.commands.new_token import new_token
from orders_service.contract.limits import USER_ID_MAX
from orders_service.contract.scopes import READ, SCOPES, WRITE
from orders_service.settings import of_process

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SECONDS_MAX = 366 * UNITS["d"]


def _scopes(_: click.Context, __: click.Parameter, value: str) -> str:
    if unknown := sorted(set(value.split()) - SCOPES.keys()):
        raise click.BadParameter(f"{unknown[0]} is not a scope. Scopes are {', '.join(SCOPES)}")
    return value


def _seconds(_: click.Context, __: click.Parameter, value: str) -> int:
    match = re.fullmatch("([0-9]{1,8})([smhd])", value)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= SECONDS_MAX:
        raise click.BadParameter("give a time such as 90s, 15m, 1h or 7d, at most 366d")
    return seconds


@click.command("token")
@click.option("--user", required=True, callback=arguments.text(USER_ID_MAX), help="The user id (`sub`).")
@click.option(
    "--scope",
    default=f"{READ} {WRITE}",
    show_default=True,
    callback=_scopes,
    help="The scopes, separated by spaces.",
)
@click.option(
    "--for", "seconds", default="1h", show_default=True, callback=_seconds, help="How long it is valid."
)
def main(user: str, scope: str, seconds: int) -> None:
    """Print a new access token, and nothing else. Needs AUTH_SECRET."""
    click.echo(new_token(of_process("token"), user, scope=scope, seconds=seconds))
