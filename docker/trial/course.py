"""The course of a trial: which profiles, and what is done to each."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.waiting import Deadline
from trial import books, images, posture
from trial.customers import Crowd, Customers
from trial.engine import Engine, engine
from trial.shell import ROOT, TrialError, run, say, step
from trial.stack import IMAGE, Container, Stack, make_secrets, stack
from trial.tools import tool

ORDERS = 50
DELIVERY = 400  # So that most of the crowd's orders are confirmed, and in the end some are not.
SINK_SECONDS = 60
IN_SYNC_SECONDS = 60
LIMIT_SECONDS = 1200  # Of everything; three times what it takes where nothing is in the cache yet.


def main() -> None:
    """Try the profiles that the command line names; all of them unless told."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("profile", nargs="*", help=f"{', '.join(PROFILES)}; all unless told")
    parser.add_argument(
        "--shell", action="store_true", help="only the engine and the images, and a shell there"
    )
    arguments = parser.parse_args()
    asked = arguments.profile or list(PROFILES)
    if unknown := set(asked) - PROFILES.keys():
        parser.error(f"there is no profile {', '.join(sorted(unknown))}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    try:
        if arguments.shell:
            sys.exit(open_shell())
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(LIMIT_SECONDS)
        stand_ins = try_all(asked)
    except TrialError as error:
        sys.exit(f"FAILED at {', '.join(reversed(_notes(error))) or 'the start'}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    say(f"all as it should be: {', '.join(asked)}. Nothing was left behind")
    if stand_ins:
        say(f"not proved, as stand-ins took their place: {', '.join(stand_ins)}")


def try_all(profiles: list[str]) -> list[str]:
    """Try each profile, from nothing to nothing. The images that were stand-ins."""
    with step("hadolint"):
        run([tool("hadolint"), "docker/Dockerfile"])
        say("hadolint finds nothing in the Dockerfile")
    with (
        engine() as docker,
        _no_image_left(docker),
        _secrets(docker) as secrets,
        _images(docker) as stand_ins,
    ):
        _build(docker)
        _check_files(docker)
        for profile in profiles:
            with step(f"profile {profile}"), stack(docker, profile, secrets, scale="api=2") as one:
                posture.check(one)
                PROFILES[profile](one)
    return stand_ins


def open_shell() -> int:
    """The engine and the images that a trial would have, for a person to type in. How the shell ended."""
    with engine() as docker, _images(docker):
        say("`docker compose` works in this shell; when it ends, what the trial brought is gone")
        shell = os.environ.get("SHELL", "/bin/sh")
        return subprocess.run([shell], cwd=ROOT, env=dict(docker.env), check=False).returncode


def _default(one: Stack) -> None:
    """Fifty orders to their end; then each container is restarted while customers order on."""
    customers = Customers(one.port)
    _follow(customers, ORDERS)
    books.deliver(one, DELIVERY)
    with Crowd(customers) as crowd:
        for container in one.containers():
            _restart(one, container, crowd, customers)
        posture.tell_memory(one)
    _settle(one, customers)


def _connect(one: Stack) -> None:
    """Every order arrives in the table of another database, also when Connect was restarted on the way."""
    customers = Customers(one.port)
    _follow(customers, ORDERS)
    with Crowd(customers) as crowd:
        for name in ("connect", "kafka"):
            _restart(one, _named(one, name), crowd, customers)
    _settle(one, customers)
    _await_sink(one, customers)


def _cdc(one: Stack) -> None:
    """Debezium carries the outbox; nobody else does."""
    if any(container.service == "orders-relay" for container in one.containers()):
        raise TrialError("orders-relay runs beside Debezium: every event would be sent twice")
    customers = Customers(one.port)
    _follow(customers, ORDERS)
    with Crowd(customers) as crowd:
        for name in ("connect", "mariadb"):
            _restart(one, _named(one, name), crowd, customers)
    _settle(one, customers)


def _cluster(one: Stack) -> None:
    """One broker of three is killed, and nobody notices."""
    customers = Customers(one.port)
    _follow(customers, ORDERS)
    broker = _named(one, "kafka")
    with step(f"killing {broker.service}"), Crowd(customers) as crowd:
        crowd.await_more(20)
        one.engine.docker("kill", broker.id)
        crowd.await_more(100)
    began = time.monotonic()
    with step("waiting for every answer"):
        ends = customers.await_answers()
    waited = time.monotonic() - began
    say(f"  {broker.service} was killed: {_told(ends)}, the last {waited:.1f} s after the crowd left")
    books.check(one, customers.accepted)
    with step(f"starting {broker.service} again"):
        one.start(broker)
        _await_in_sync(one)
    _follow(customers, 10)
    books.check(one, customers.accepted)


PROFILES: dict[str, Callable[[Stack], None]] = {
    "default": _default,
    "connect": _connect,
    "cdc": _cdc,
    "cluster": _cluster,
}


def _follow(customers: Customers, count: int) -> None:
    """Place orders one after the other, and follow them to their end."""
    began = time.monotonic()
    with step(f"placing {count} orders"):
        customers.place(count)
    placed = time.monotonic() - began
    with step("waiting for their answers"):
        ends = customers.await_answers()
    answered = time.monotonic() - began
    say(f"  {count} orders placed in {placed:.1f} s, all answered after {answered:.1f} s: {_told(ends)}")


def _restart(one: Stack, container: Container, crowd: Crowd, customers: Customers) -> None:
    crowd.await_more(5)
    before, customers.longest_wait = customers.again.total(), 0.0
    began = time.monotonic()
    with step(f"restarting {container.service}"):
        one.stop(container)
        stopped = time.monotonic() - began
        one.start(container)
        healthy = time.monotonic() - began
        crowd.await_more(5)
    again = customers.again.total() - before
    say(
        f"  {container.service} restarted: stopped in {stopped:.1f} s, healthy after {healthy:.1f} s; "
        f"longest time without a new order {customers.longest_wait:.1f} s, asked again {again} times"
    )


def _settle(one: Stack, customers: Customers) -> None:
    with step("waiting for every answer"):
        ends = customers.await_answers()
    told = ", ".join(f"{count} × {problem}" for problem, count in customers.again.most_common())
    say(f"  every order is answered: {_told(ends)}; customers asked again: {told or 'never'}")
    books.check(one, customers.accepted)


def _await_sink(one: Stack, customers: Customers) -> None:
    """Each order has exactly one row where Connect writes."""
    deadline = Deadline(SINK_SECONDS)
    wanted = sorted(customers.accepted)
    while (there := sorted(row[0] for row in one.sql("SELECT order_id FROM mydb.orders"))) != wanted:
        if deadline.over:
            raise TrialError(f"the sink's table holds {len(there)} orders of {len(wanted)}")
        time.sleep(0.5)
    say(f"  Connect wrote each of the {len(wanted)} orders to mydb.orders, once")


def _await_in_sync(one: Stack) -> None:
    """Every partition has all its copies again."""
    began, deadline = time.monotonic(), Deadline(IN_SYNC_SECONDS)
    tool_ = ["/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092"]
    ask = [*tool_, "--describe", "--under-replicated-partitions"]
    while lines := one.compose("exec", "--no-TTY", "kafka", *ask).split("\n")[:-1]:
        if deadline.over:
            raise TrialError("\n".join(["partitions are not in sync:", *lines[:10]]))
        time.sleep(1)
    say(f"  the broker is back, all copies in sync after {time.monotonic() - began:.0f} s")


def _named(one: Stack, service: str) -> Container:
    return next(container for container in one.containers() if container.service == service)


def _told(ends: "dict[str, int]") -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))


def _build(docker: Engine) -> None:
    began = time.monotonic()
    with step("building the image"):
        docker.build(IMAGE, ROOT, "--file", str(ROOT / "docker/Dockerfile"), *images.proxies())
    size = int(docker.docker("image", "inspect", "--format", "{{.Size}}", IMAGE))
    say(f"image {IMAGE} built in {time.monotonic() - began:.0f} s, {size / 1e6:.0f} MB")
    with step("looking into the image"):
        posture.check_image(docker, IMAGE)


def _check_files(docker: Engine) -> None:
    """Compose understands its files in every way that they are put together, and warns of nothing."""
    profiles = [f"--env-file docker/{profile}.env" for profile in PROFILES if profile != "default"]
    ways = ["", *profiles, "--file docker/kafka-elsewhere.yaml"]
    for way in ways:
        with step(f"docker compose {way} config"):
            words = [*docker.compose, "--file", "docker/compose.yaml", *way.split(), "config", "--quiet"]
            if found := run(["sh", "-c", 'exec "$@" 2>&1', "sh", *words], env=docker.env):
                raise TrialError(found)
    say(f"docker compose config finds nothing, in each of {len(ways)} ways to put its files together")


def _too_long(*_: object) -> None:
    raise TrialError(f"all of it did not end within {LIMIT_SECONDS} s")


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


@contextmanager
def _images(docker: Engine) -> Iterator[list[str]]:
    """What the stack is made of; an engine that was there before does not keep our stand-ins."""
    with step("providing images"):
        stand_ins = images.provide(docker)
    try:
        yield stand_ins
    finally:
        if not docker.own and stand_ins:
            docker.docker("image", "rm", *stand_ins)


@contextmanager
def _no_image_left(docker: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        if not docker.own and docker.has(IMAGE):
            docker.docker("image", "rm", IMAGE)


@contextmanager
def _secrets(docker: Engine) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="orders-secrets-", dir=docker.folder))
    try:
        make_secrets(folder)
        yield folder
    finally:
        shutil.rmtree(folder)
