"""The process that serves HTTP: gunicorn, with greenlets or with threads."""

import gc
import os
import resource
from collections.abc import Callable, Mapping
from typing import Any

import click
import structlog
from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import ParseException
from prometheus_client.registry import Collector

from orders_service import logs, resources, tracing
from orders_service.api import request_log
from orders_service.api.app import create_app
from orders_service.api.identity.setup import KeyFiles
from orders_service.api.practice.scene import Workers
from orders_service.api.problems import problem
from orders_service.api.serving.connection import IDLE_SECONDS
from orders_service.api.serving.greenlets import WaitingGreenlet, gather, turn
from orders_service.api.serving.metrics_port import with_metrics_port
from orders_service.api.serving.refusals import FIELD_BYTES, FIELDS_MAX, LINE_BYTES, TOKEN_FIELD_BYTES
from orders_service.api.serving.run_worker import ThreadWorkerForRun
from orders_service.api.serving.server_log import ServerLog
from orders_service.api.serving.slots import SHARED_MEMORY, Slots, shared_numbers
from orders_service.api.serving.worker import GreenletWorker
from orders_service.api_settings import OPEN_TO_ALL
from orders_service.database.engines import require_file
from orders_service.operations.doctor import DoctorRuns
from orders_service.port import require_free_port
from orders_service.setting_rules import is_loopback
from orders_service.settings import Settings, SettingsError, of_process

STALL_SECONDS = 30  # A worker process without a heartbeat for this long is replaced.
DRAIN_SECONDS = 8  # After SIGTERM, a request in flight may take this long.
SPARE_FILES = 200  # File descriptors beside those of clients: databases, log, listener.

log = structlog.get_logger()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by our settings instead of a file. *hooks* are gunicorn's server hooks."""

    def __init__(
        self,
        settings: Settings,
        hooks: Mapping[str, Callable[..., None]],
        *,
        greenlets: bool,
        numbers: Collector | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._greenlets = greenlets
        self._numbers = numbers
        self._hooks = hooks
        self._key_files = KeyFiles.read(settings)
        self._doctor = DoctorRuns()
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": _addresses(settings),
            "worker_class": GreenletWorker if self._greenlets else ThreadWorkerForRun,
            "workers": settings.api_workers,
            "threads": settings.api_threads,
            "timeout": STALL_SECONDS,
            "graceful_timeout": DRAIN_SECONDS,
            "keepalive": IDLE_SECONDS,
            "worker_connections": settings.api_connections_max,
            "limit_request_line": LINE_BYTES,
            "limit_request_fields": FIELDS_MAX,
            "limit_request_field_size": TOKEN_FIELD_BYTES if settings.auth_mode == "jwt" else FIELD_BYTES,
            "on_reload": self._read_key_files,
            "loglevel": "warning" if settings.log_level == "info" else settings.log_level,
            "logger_class": ServerLog,
            "proc_name": "orders-service api",
            # The service uses no forwarding headers of a proxy, so gunicorn need not look for them.
            "forwarded_allow_ips": "*",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "sendfile": False,  # It would bypass `Connection` and send a body before its head.
            "control_socket_disable": True,  # It needs a home folder, which a container does not have.
            # A worker's heartbeat touches a file, which could block the worker on a slow disk.
            "worker_tmp_dir": str(SHARED_MEMORY) if os.access(SHARED_MEMORY, os.W_OK) else None,
        }
        for name, value in (options | dict(self._hooks)).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        resources.start_traces("api" if self._greenlets else "run", self._settings)
        if self._greenlets:
            app = create_app(
                self._settings,
                gather=gather,
                turn=turn,
                waiting=WaitingGreenlet,
                waiters_max=waiters_max(self._settings),
                key_files=self._key_files,
                numbers=self._numbers,
                doctor=self._doctor,
            )
        else:
            app = create_app(
                self._settings, key_files=self._key_files, doctor=self._doctor, workers=self._workers
            )
        app.register_error_handler(ParseException, _on_broken_chunks)
        if port := self._settings.metrics_port:
            app.wsgi_app = with_metrics_port(app.wsgi_app, port, app.extensions["metrics"].answer)  # type: ignore[method-assign]
        # gunicorn reads dozens of settings per request. As attributes they bypass `Config.__getattr__`.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        gc.collect()
        gc.freeze()  # The loaded objects stay, so the garbage collector need not scan them again.
        return app

    def _read_key_files(self, _: object) -> None:
        """Read the files of keys again, on SIGHUP. The new processes inherit the keys of this one.

        If a file is wrong now, the last keys stay valid: a mistake in it does not stop the service.
        """
        try:
            self._key_files = KeyFiles.read(self._settings)
        except SettingsError as error:
            log.error("cannot read the keys again; the last ones stay valid", error=str(error))


def _addresses(settings: Settings) -> list[str]:
    ports = ((settings.api_host, settings.api_port), (settings.metrics_host, settings.metrics_port))
    return [f"[{host}]:{port}" for host, port in ports if port]  # An IPv6 address has colons.


def require_free_ports(settings: Settings, *, start: str = "orders-service api") -> None:
    """Raise `PortTaken` if another process listens on a port of the API. *start* is the suggested command."""
    require_free_port(settings.api_host, settings.api_port, start=f"API_PORT={{port}} {start}")
    if port := settings.metrics_port:
        require_free_port(settings.metrics_host, port, start=f"METRICS_PORT={{port}} {start}")


def waiters_max(settings: Settings) -> int:
    """How many requests may wait for orders: other clients keep half of the connections."""
    return min(settings.api_waiters_max, settings.api_connections_max // 2)


def _on_broken_chunks(error: Exception) -> Response:
    """Answer a request whose chunked body is invalid: gunicorn finds this while the view reads the body."""
    return problem("invalid-body", f"The body cannot be read: {error}.")


def _end(_: object, __: object) -> None:
    """Send the last spans. Undo `gc.freeze`: otherwise a log handler outlives its lock and logs an error."""
    tracing.close()
    gc.unfreeze()


def serve(
    settings: Settings,
    *,
    greenlets: bool,
    numbers: Collector | None = None,
    workers: Workers | None = None,
    **hooks: Callable[..., None],
) -> None:
    """Serve HTTP until a signal stops it; does not return. With *greenlets*, there are no real threads.

    *numbers* are the metrics of all processes, if there are several. *workers* are those of this process, for
    the practice.
    """
    _allow_files(settings.api_connections_max + SPARE_FILES)
    Server(settings, hooks, greenlets=greenlets, numbers=numbers, workers=workers).run()


def _allow_files(count: int) -> None:
    """Raise this process's limit of open files (RLIMIT_NOFILE): each connection needs a file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < count:
        log.warning(
            "The limit of open files is too low for API_CONNECTIONS_MAX. Raise `ulimit -Hn`.",
            may=hard,
            needs=count,
        )


@click.command("api")
def main() -> None:
    """Serve orders and products over HTTP. Runs until it is stopped."""
    settings = of_process("api")
    for url in resources.urls(settings).values():
        require_file(url)
    logs.configure(settings.log_level, settings.log_format, *request_log.PROCESSORS)
    require_free_ports(settings)
    if settings.auth_mode == "none" and not is_loopback(settings.api_host):
        log.warning(OPEN_TO_ALL)
    address = f"{settings.api_host}:{settings.api_port}"
    with shared_numbers() as numbers:
        serve(
            settings,
            greenlets=True,
            numbers=numbers,
            workers=None,
            worker_exit=_end,
            when_ready=lambda _: log.info("listening", address=address, workers=settings.api_workers),
            **Slots(numbers).hooks,
        )
