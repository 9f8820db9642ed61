"""`top`: draws the road of the orders in a terminal, once a second."""

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

from orders_service.commands.arguments import http_address
from orders_service.commands.new_token import new_token
from orders_service.commands.top import feed, glyphs, terminal
from orders_service.commands.top.feed import Headers, Refused
from orders_service.commands.top.screen import Look, lines
from orders_service.contract.scopes import OPERATE
from orders_service.port import base_url
from orders_service.printable import printable
from orders_service.settings import Settings, of_process

TOKEN_SECONDS = 600  # Longer than a stream, which ends after five minutes.
SETTLED_SECONDS = 4.5  # A rate needs two readings, and a stopped consumer is known after 3 s.
LOOK_SECONDS = 0.2  # For a key.
RETRY_SECONDS = (1.0, 30.0)
ENDED = "the stream of {} has ended"
KEYS = "q quit   p pause"
FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError, Refused)


@click.command("top")
@click.option("--once", is_flag=True, help="Print one picture, and end. So it does without a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one reading as JSON, and end.")
@click.option(
    "--url",
    callback=http_address,
    help="The URL of the API. Default: from the settings API_HOST and API_PORT.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with an access token. Default: with AUTH_MODE=jwt and AUTH_SECRET, new ones are made.",
)
def main(once: bool, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """Show the road of the orders, live: where they are, what waits, and what to do.

    The key q ends it, p pauses it.
    """
    settings = of_process("top")
    base = url or base_url(settings.api_host, settings.api_port)
    headers = _headers(settings, token_file)
    if as_json:
        click.echo(json.dumps(_settled(base, headers), indent=2))
    elif once or not sys.stdout.isatty():
        look = _look(is_live=False)
        click.echo("\n".join(lines(_settled(base, headers), look)))
    else:
        Live(base, headers).run()


def _headers(settings: Settings, token_file: Path | None) -> Headers:
    def headers() -> dict[str, str]:
        if token_file:
            token = token_file.read_text(encoding="utf-8").strip()
        elif settings.auth_mode == "jwt" and settings.auth_secret:
            token = new_token(settings, "top", scope=OPERATE, seconds=TOKEN_SECONDS)
        else:
            return {}
        return {"Authorization": f"Bearer {token}"}

    return headers


def _settled(base: str, headers: Headers) -> dict[str, Any]:
    """A picture with rates and without doubt: one in trouble, or the first after `SETTLED_SECONDS`."""
    began = time.monotonic()
    try:
        for picture in feed.pictures(base, headers):
            if picture["headline"]["level"] == "trouble" or time.monotonic() - began > SETTLED_SECONDS:
                return picture
    except FAILURES as error:
        raise click.ClickException(_advice(base, error)) from error
    raise click.ClickException(ENDED.format(base))


def _advice(base: str, error: Exception) -> str:
    if isinstance(error, Refused):
        if error.status in (401, 403):
            return (
                f"the road cannot be read: {error} Give this command the API's AUTH_MODE and AUTH_SECRET,"
                f" or a token with the scope {OPERATE} with --token-file"
            )
        return f"the road cannot be read: {error}"
    if isinstance(error, ValueError):
        return f"another program answers at {base}: {error}. Give the API's URL with --url"
    return (
        f"no API answers at {base} ({error})."
        " Start the API (make run, or orders-service api), or give its URL with --url"
    )


def _look(*, is_live: bool) -> Look:
    columns, rows = terminal.size() if is_live or sys.stdout.isatty() else (80, 1000)
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    signs = glyphs.of_terminal(sys.stdout.encoding)
    return Look(max(40, columns), rows if is_live else 1000, signs, colours)


class Live:
    """Draws each picture until a key ends it. Another thread gets the pictures."""

    def __init__(self, base: str, headers: Headers) -> None:
        self._base = base
        self._headers = headers
        self.picture: dict[str, Any] | None = None
        self._lost: tuple[datetime, str] | None = None  # Since when there is no connection, and why.
        self._is_paused = False
        self._pause = RETRY_SECONDS[0]  # Before the next connection.

    def run(self) -> None:
        """Draw until `q`; raise `ClickException` if the first connection fails."""
        threading.Thread(target=self._follow, name="feed", daemon=True).start()
        shown: object = None
        with terminal.borrowed():
            while True:
                state = (self.picture, self._lost, self._is_paused, terminal.size())
                if self.picture is None and self._lost:
                    break
                if self.picture is not None and state != shown:
                    terminal.draw(self._drawn(self.picture))
                    shown = state
                pressed = terminal.key(LOOK_SECONDS)
                if pressed in ("q", "Q"):
                    return
                if pressed == "p":
                    self._is_paused = not self._is_paused
        raise click.ClickException(self._lost[1])

    def _drawn(self, picture: dict[str, Any]) -> list[str]:
        foot = KEYS
        if self._lost:
            foot = f"Not connected since {self._lost[0]:%H:%M:%S}. These numbers are from then.   q quit"
        elif self._is_paused:
            foot = f"Paused at {picture['at'][11:19]}.   {KEYS}"
        return lines(picture, _look(is_live=True), foot=foot, is_old=bool(self._lost))

    def _follow(self) -> None:
        while True:
            problem = self.receive()
            if problem:
                self._lost = self._lost or (datetime.now(UTC), problem)
            time.sleep(self._pause)
            if problem:
                self._pause = min(2 * self._pause, RETRY_SECONDS[1])

    def receive(self) -> str | None:
        """Take the pictures of one connection. Why it has ended; None if it had pictures, and ended well."""
        ended: str | None = ENDED.format(self._base)
        try:
            for picture in feed.pictures(self._base, self._headers):
                ended, self._lost, self._pause = None, None, RETRY_SECONDS[0]
                if not self._is_paused and not feed.is_past(picture, self.picture):
                    self.picture = picture
        except FAILURES as error:
            return printable(_advice(self._base, error))
        except OSError as error:
            return printable(f"the token cannot be read: {error}")
        return ended
