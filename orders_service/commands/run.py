"""`run`: the whole service in one process, on the embedded database and log unless settings say otherwise."""

import fcntl
import http.client
import logging
import os
import shlex
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from orders_service import environment, logs, resources, tracing
from orders_service.api import request_log
from orders_service.api.serving import server
from orders_service.broker_client import BROKER_FILE, broker, topic_spec
from orders_service.commands.config import is_set
from orders_service.commands.migrate import migrate
from orders_service.commands.worker_threads import WorkerThreads
from orders_service.events.brokers.port import BrokerError
from orders_service.port import base_url
from orders_service.printable import safe
from orders_service.processes import DATABASES, PROCESSES
from orders_service.settings import Settings, names, of_process, secrets

STATE = (*(f"{name}.db" for name in DATABASES), BROKER_FILE)
LOCK = "run.lock"
# Two services cannot share a state folder, so the suggested command sets STATE_DIR as well.
START = "STATE_DIR=var/run-{port} make run"
READY_SECONDS = 30
ACCESS = {
    "none": "without authentication: everybody may read and change every order (AUTH_MODE=none)",
    "jwt": "with a token: orders-service token --user me",
}


@click.command("run")
@click.option("--reset", is_flag=True, help="First remove the embedded databases and the log.")
def main(reset: bool) -> None:
    """Run the whole service in one process until Ctrl-C.

    Not for production. Unless settings say otherwise, the databases are SQLite files, and another SQLite file
    replaces Kafka.
    """
    started = time.monotonic()
    given = of_process("run")
    settings = replace(given, api_workers=1)
    level = "warning" if settings.log_level == "info" else settings.log_level
    logs.configure(level, settings.log_format, *request_log.PROCESSORS)
    click.secho("Orders, catalog and the events between them, in one process. Not for production.", bold=True)
    _print_environment_settings(given)
    server.require_free_ports(settings, start=START)
    with _only_one(Path(settings.state_dir)):
        if reset:
            _reset(Path(settings.state_dir))
        for line in migrate(settings):
            click.echo(f"  ✔ {line}")
        _create_topics(settings)
        _serve(settings, started)


def _serve(settings: Settings, started: float) -> None:
    workers = WorkerThreads(settings)
    this = os.getpid()

    def post_worker_init(worker: Any) -> None:
        workers.start()
        if worker.age == 1:  # gunicorn numbers its processes: a later one replaces one that died.
            threading.Thread(target=_announce, args=(settings, started), daemon=True).start()

    def worker_exit(_: Any, __: Any) -> None:
        workers.stop()
        tracing.close()
        logging.shutdown()
        if os.getpid() != this:
            os._exit(0)  # A normal exit waits for threads whose client has not sent its whole request.

    try:
        server.serve(
            settings,
            greenlets=False,
            workers=workers,
            post_worker_init=post_worker_init,
            worker_exit=worker_exit,
        )
    except SystemExit as ending:
        if os.getpid() != this:
            raise
        kept = settings.state_dir if _is_embedded(settings) else "the databases of your settings"
        click.echo(f"\nStopped. The orders and the stock are kept in {kept}.")
        os._exit(ending.code if isinstance(ending.code, int) else 0)  # A normal exit takes a second.


def _create_topics(settings: Settings) -> None:
    topics = resources.topics(settings).names
    try:
        broker(settings, create=True).create_topics(topics, topic_spec(settings))
    except BrokerError as error:
        raise click.ClickException(f"broker: {error}") from error
    click.echo(f"  ✔ topics: {', '.join(topics)}")


def _announce(settings: Settings, started: float) -> None:
    """Wait until the service is ready, then print its URLs and the next command."""
    host, port, inside = settings.api_host, settings.api_port, settings.metrics_port
    base = base_url(host, port)
    while not _is_ready(host, port):
        if time.monotonic() - started > READY_SECONDS:
            click.secho(f"  ✘ not ready after {READY_SECONDS} s: see {base}/readyz", fg="red")
            return
        time.sleep(0.02)
    prefix = _settings_for_first_order(settings)
    commands = [
        f"  {prefix}{command}" for command in ("make first-order", ".venv/bin/orders-service first-order")
    ]
    lines = [
        f"  ✔ {', '.join(process.command for process in PROCESSES)}",
        "",
        *([f"  Look     {base}/ui"] if settings.ui_is_on else []),
        f"  Orders   {base}/order-service/{{userId}}/orders",
        f"  Catalog  {base}/catalog-service/catalogs",
        f"  Ready?   {base}/readyz",
        *([f"  Metrics  {base_url(settings.metrics_host, inside)}/metrics"] if inside else []),
        f"  State    {_kept_in(settings)}",
        f"  Access   {ACCESS[settings.auth_mode]}",
        "",
        f"Ready in {time.monotonic() - started:.1f} s. Next, in another terminal:",
        "",
        *(click.style(command, bold=True) for command in commands),
        "",
        "Ctrl-C stops everything.",
    ]
    click.echo("\n".join(lines))


def _kept_in(settings: Settings) -> str:
    if _is_embedded(settings):
        return f"{settings.state_dir}  (kept; `run --reset` deletes it)"
    return "in the databases of your settings  (kept)"


def _is_embedded(settings: Settings) -> bool:
    return all(url.startswith("sqlite") for url in resources.urls(settings).values())


def _settings_for_first_order(settings: Settings) -> str:
    """The settings to put before `first-order` in another terminal, with `…` for a secret without a file."""
    used = environment.used("first-order", names(), kafka=settings.broker == "kafka")
    shown = {name: f"{name}={shlex.quote(value)} " for name, value in settings.show().items()}
    for name in secrets():
        path = os.environ.get(f"{name}_FILE")
        shown[name] = f"{name}_FILE={shlex.quote(path)} " if path else f"{name}=… "
    return "".join(shown[name] for name in names() if name in used and is_set(name))


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _print_environment_settings(settings: Settings) -> None:
    for name, value in settings.show().items():
        if is_set(name):
            click.echo(safe(f"  · {name}={value} (from the environment)"))


@contextmanager
def _only_one(state_dir: Path) -> Iterator[None]:
    """Lock the state folder. The lock is released when the last process that inherited it has ended."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_private(state_dir)
    with (state_dir / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"another `run` uses {state_dir}."
                f" Stop it, or use another folder: STATE_DIR={state_dir}-2 make run"
            ) from None
        yield


def _make_private(state_dir: Path) -> None:
    """Make our files readable by their owner only; the folder too, if it holds no other files.

    An older version created them readable by everyone.
    """
    ours = [*_state(state_dir), *state_dir.glob(LOCK)]
    for path in ours:
        path.chmod(0o600)
    known = state_dir.stat()
    is_shared = bool(known.st_mode & stat.S_ISVTX) or known.st_uid != os.geteuid()
    if not is_shared and set(state_dir.iterdir()) <= set(ours):
        state_dir.chmod(0o700)


def _state(state_dir: Path) -> Iterator[Path]:
    """The files of the embedded databases and the embedded log."""
    for name in STATE:
        yield from state_dir.glob(name)
        yield from state_dir.glob(f"{name}-*")
        yield from state_dir.glob(f"{name}.*.lock")


def _reset(state_dir: Path) -> None:
    for path in list(_state(state_dir)):
        path.unlink(missing_ok=True)
    click.echo(f"  ✔ {', '.join(STATE)} in {state_dir} removed")
