"""Builds a worker from its row in `processes.py`, and the command that runs it."""

import pkgutil
from datetime import timedelta

import click
from sqlalchemy.orm import sessionmaker

from orders_service import logs, processes, resources, tracing
from orders_service.broker_client import broker
from orders_service.database.engines import open_relay_engine, worker_sessions
from orders_service.events.consumer import Consumer, Handler
from orders_service.events.relay import Relay
from orders_service.events.upkeep import PurgingWorker
from orders_service.events.worker import Worker
from orders_service.metrics.port import MetricsPort
from orders_service.port import require_free_port
from orders_service.settings import Settings, SettingsError, of_process
from orders_service.workers import loop


def build(
    process: processes.Worker, settings: Settings, *, poll_seconds: float = 1.0, skip_gap: bool = False
) -> Worker:
    """The worker of *process*. The options are for consumers: see `events/consumer.py` and `KafkaBroker`."""
    if isinstance(process, processes.Consumer):
        return _consumer(process, settings, poll_seconds=poll_seconds, skip_gap=skip_gap)
    if isinstance(process, processes.Relay):
        return _relay(process, settings)
    raise TypeError(f"{process.command} is neither a relay nor a consumer")


def handler(process: processes.Consumer, settings: Settings) -> Handler:
    """The function that applies the events of a consumer."""
    return _call_of_module(process, "handler", settings)


def discard_handler(process: processes.Consumer, settings: Settings) -> Handler:
    """The function that is called when an operator discards events of this consumer."""
    return _call_of_module(process, "discard_handler", settings)


def command(name: str) -> click.Command:
    """The command that runs the worker *name* until it is stopped."""
    process = processes.worker(name)

    def run(*, skip_gap: bool = False) -> None:
        settings = of_process(name)
        if isinstance(process, processes.Relay) and resources.is_sent_by_debezium(settings, process.database):
            problem = "EVENTS_VIA is cdc: Debezium sends the outbox, and a relay would send each event again"
            raise SettingsError([problem])
        logs.configure(settings.log_level, settings.log_format)
        _serve_metrics(settings, name)
        resources.start_traces(name, settings)
        try:
            loop.run(build(process, settings, skip_gap=skip_gap), name, step_seconds=process.step_seconds)
        finally:
            tracing.close()

    gap = click.Option(
        ["--skip-gap"], is_flag=True, help="Continue although the log has deleted records that were not read."
    )
    options: list[click.Parameter] = [gap] if isinstance(process, processes.Consumer) else []
    return click.Command(
        name, callback=run, params=options, help=f"{process.about} Runs until it is stopped."
    )


def _serve_metrics(settings: Settings, name: str) -> None:
    if (port := settings.metrics_port) is None:
        return
    require_free_port(settings.metrics_host, port, start=f"METRICS_PORT={{port}} orders-service {name}")
    MetricsPort(settings.metrics_host, port).start()


def _relay(process: processes.Relay, settings: Settings) -> Worker:
    """A relay. It also purges the outbox of its database."""
    engine = open_relay_engine(resources.url(settings, process.database))
    relay = Relay(
        engine,
        broker(settings).producer(),
        owner=resources.lease_owner(),
        topics=resources.sent_topics(settings, process),
        lease_seconds=settings.relay_lease_seconds,
    )
    return PurgingWorker(relay, sessionmaker(engine), keep=timedelta(days=settings.outbox_keep_days))


def _consumer(
    process: processes.Consumer, settings: Settings, *, poll_seconds: float, skip_gap: bool
) -> Worker:
    """A consumer. When Debezium sends its database's outbox, no relay purges it, so the consumer does."""
    sessions = worker_sessions(resources.url(settings, process.database))
    group, topic = resources.group(settings, process), resources.topic(settings, process)
    consumer = Consumer(
        sessions,
        broker(settings, skip_gap=skip_gap).subscribe(group, [topic]),
        handler(process, settings),
        group=group,
        topics=[topic],
        database=process.database,
        dead_letter_bytes=settings.dead_letters_max_bytes,
        poll_seconds=poll_seconds,
    )
    if not resources.is_sent_by_debezium(settings, process.database):
        return consumer
    return PurgingWorker(consumer, sessions, keep=timedelta(days=settings.outbox_keep_days))


def _call_of_module(process: processes.Consumer, function: str, settings: Settings) -> Handler:
    made: Handler = pkgutil.resolve_name(f"{process.module}:{function}")(settings)
    return made
