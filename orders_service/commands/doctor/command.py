"""The command `doctor`: runs all checks and prints one line for each."""

import http.client
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace

import click

from orders_service.commands.doctor import broker, connector, databases, metrics
from orders_service.commands.doctor.finding import Check, Finding, Level, fine, run_checks, warning, wrong
from orders_service.commands.doctor.identity import IdentityChecks
from orders_service.port import PortTaken, require_free_port
from orders_service.printable import printable, without_passwords
from orders_service.processes import DATABASES
from orders_service.settings import Settings, SettingsError, misspelt

MARKS = {Level.FINE: "✔", Level.WARNING: "!", Level.WRONG: "✘", Level.AWAY: "✘"}
COLOURS = {Level.FINE: "green", Level.WARNING: "yellow", Level.WRONG: "red", Level.AWAY: "red"}
FAILED, WRONG_SETTINGS_CODE, NOT_READY = 1, 2, 5
PORT_SECONDS = 2
SETTINGS_CHECK = "settings"
WIDTH = 31  # The length of the longest check name.


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def main(as_json: bool) -> None:
    """Check everything that the service depends on, and say what to do. Changes nothing.

    The exit code is 0 if nothing is wrong, 1 if something is wrong, 2 for invalid settings, 5 if a database
    or the broker cannot be reached.
    """
    # Hides kafka-python's log lines: the finding reports the same error in one line.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    code, told = 0, []
    for name, found in _examined():
        finding = replace(found, seen=_in_one_line(found.seen), do=_in_one_line(found.do))
        code = max(code, _code(name, finding))
        if as_json:
            told.append({"check": name, **vars(finding)})
        else:
            _print(name, finding)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    sys.exit(code)


def _examined() -> Iterator[tuple[str, Finding]]:
    try:
        settings = Settings.read()
    except SettingsError as error:
        for problem in error.problems:
            yield SETTINGS_CHECK, wrong(problem, "see docs/settings.md")
        return
    yield SETTINGS_CHECK, fine("valid; orders-service config show prints them")
    for variable, advice in misspelt():
        yield SETTINGS_CHECK, warning(f"{variable} is not a setting of this service and is ignored", advice)
    yield from run_checks([Check("port", lambda: _port(settings))])
    yield from run_checks(metrics.checks(settings))
    yield from run_checks(IdentityChecks(settings).checks)
    for name in DATABASES:
        database = databases.DatabaseChecks(name, settings)
        yield from run_checks(database.checks)
        database.close()
    yield from run_checks(broker.BrokerChecks(settings).checks)
    if settings.events_via == "cdc":
        yield from run_checks(
            [Check(connector.CONNECTOR, lambda: connector.check_connector(settings.connect_url))]
        )


def _in_one_line(text: str) -> str:
    return printable(without_passwords(text))


def _port(settings: Settings) -> Finding:
    """Whether the API's port is free, or the API itself answers on it."""
    host, port = settings.api_host, settings.api_port
    try:
        require_free_port(host, port)
    except PortTaken as taken:
        if _is_ours(host, port):
            return fine(f"the API answers on {host}:{port}")
        return wrong(f"another program listens on {host}:{port}", f"stop it, or set API_PORT={taken.other}")
    except click.ClickException as error:
        return wrong(error.message, "check API_HOST")
    return fine(f"nothing listens on {host}:{port}; the API may run on another machine")


def _is_ours(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=PORT_SECONDS)
    try:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        return response.status == 200 and json.load(response) == {"status": "alive"}
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _code(name: str, finding: Finding) -> int:
    if finding.level == Level.AWAY:
        return NOT_READY
    if finding.level == Level.WRONG:
        return WRONG_SETTINGS_CODE if name == SETTINGS_CHECK else FAILED
    return 0


def _print(name: str, finding: Finding) -> None:
    mark = click.style(MARKS[finding.level], fg=COLOURS[finding.level])
    click.echo(f"{mark} {name:<{WIDTH}} {finding.seen}")
    if finding.do:
        click.echo(f"  {'':<{WIDTH}} → {finding.do}")
