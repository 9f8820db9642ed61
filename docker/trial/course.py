"""The course of a trial: its profiles, and what is done to each."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.customers import GATEWAY, Customers, Habits
from rig.waiting import wait
from trial import books, images, observers, posture
from trial.engine import Engine, engine
from trial.shell import ROOT, TrialError, run, say, step
from trial.stack import IMAGE, Container, Stack, make_secrets, stack
from trial.tools import tool

PRODUCTS = {"CATALOG-001": 1500, "CATALOG-002": 1000, "CATALOG-003": 2000}
ORDERS = 50
RATE = 25  # Orders a second while something is restarted.
DELIVERY = 400  # Enough to confirm most orders, and too little to confirm all.
IN_SYNC_SECONDS = 60
LIMIT_SECONDS = 1800  # For all profiles: three times what they take with an empty cache.


def main() -> None:
    """Try the profiles that the command line names; without a name, all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("profile", nargs="*", help=f"{', '.join(PROFILES)}; default: all")
    parser.add_argument(
        "--shell", action="store_true", help="start only the engine, provide the images, and open a shell"
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
    except (TrialError, AssertionError) as error:
        sys.exit(f"FAILED at {', '.join(reversed(_notes(error))) or 'the start'}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    say(f"all checks passed: {', '.join(asked)}. Nothing was left behind")
    if stand_ins:
        say(f"not tested, because stand-ins replaced them: {', '.join(stand_ins)}")


def try_all(profiles: list[str]) -> list[str]:
    """Try each profile in a new stack. Returns the images that were stand-ins."""
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
    """Open a shell with the engine and the images of a trial; its exit code."""
    with engine() as docker, _images(docker):
        say("`docker compose` works in this shell; when it ends, everything that the trial added is removed")
        shell = os.environ.get("SHELL", "/bin/sh")
        return subprocess.run([shell], cwd=ROOT, env=dict(docker.env), check=False).returncode


def _default(one: Stack) -> None:
    """Follow fifty orders to their end; then restart each container while customers order."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    books.deliver(one, DELIVERY)
    with customers.ordering():
        for container in one.containers():
            _restart(one, container, customers)
        posture.tell_memory(one)
    _settle(one, customers)


def _connect(one: Stack) -> None:
    """Every order arrives in the table of another database, although Connect is restarted meanwhile."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    with customers.ordering():
        for name in ("connect", "kafka"):
            _restart(one, _named(one, name), customers)
    _settle(one, customers)
    books.await_sink(one, customers.told)


def _cdc(one: Stack) -> None:
    """Debezium sends the outbox; no relay does."""
    if any(container.service == "orders-relay" for container in one.containers()):
        raise TrialError("orders-relay runs beside Debezium: every event would be sent twice")
    customers = _customers(one)
    _follow(customers, ORDERS)
    with customers.ordering():
        for name in ("connect", "mariadb"):
            _restart(one, _named(one, name), customers)
    _settle(one, customers)


def _cluster(one: Stack) -> None:
    """One broker of three is killed, and no customer notices."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    broker = _named(one, "kafka")
    with step(f"killing {broker.service}"), customers.ordering():
        customers.await_accepted(20, seconds=60)
        one.engine.docker("kill", broker.id)
        customers.await_accepted(100, seconds=60)
    began = time.monotonic()
    with step("waiting for every answer"):
        ends = customers.await_answers()
    waited = time.monotonic() - began
    say(f"  {broker.service} was killed: {_told(ends)}, the last {waited:.1f} s after the last order")
    books.check(one, customers.told)
    with step(f"starting {broker.service} again"):
        one.start(broker)
        _await_in_sync(one)
    _follow(customers, 10)
    books.check(one, customers.told)


def _observability(one: Stack) -> None:
    """The numbers of every process are in Prometheus, and an order is one trace."""
    customers = _customers(one)
    _follow(customers, ORDERS)
    observers.check(one, one.token("trial", "orders:read orders:write"))
    posture.tell_memory(one)


PROFILES: dict[str, Callable[[Stack], None]] = {
    "default": _default,
    "connect": _connect,
    "cdc": _cdc,
    "cluster": _cluster,
    "observability": _observability,
}


def _customers(one: Stack) -> Customers:
    """Customers of the gateway. Each has a key and retries until the order is accepted."""
    return Customers(
        [f"http://127.0.0.1:{one.port}"],
        PRODUCTS,
        random.Random(),
        rate=RATE,
        crowd=3,
        habits=Habits(keys=1),
        retried=GATEWAY,
        seconds=35,
        token=one.token("trial", "orders:read orders:write orders:admin"),
    )


def _follow(customers: Customers, count: int) -> None:
    """Let customers place orders, and follow them to their end."""
    began = time.monotonic()
    with step(f"placing {count} orders"), customers.ordering():
        customers.await_accepted(count)
    placed = time.monotonic() - began
    with step("waiting for their answers"):
        ends = customers.await_answers()
    answered = time.monotonic() - began
    say(f"  {count} orders placed in {placed:.1f} s, all answered after {answered:.1f} s: {_told(ends)}")


def _restart(one: Stack, container: Container, customers: Customers) -> None:
    customers.await_accepted(5, seconds=60)
    before, began = customers.failures.total(), time.monotonic()
    with step(f"restarting {container.service}"):
        one.stop(container)
        stopped = time.monotonic() - began
        one.start(container)
        healthy = time.monotonic() - began
        customers.await_accepted(5, seconds=60)
    again = customers.failures.total() - before
    say(
        f"  {container.service} restarted: stopped in {stopped:.1f} s, healthy after {healthy:.1f} s; "
        f"longest time without a new order {customers.longest_gap(began):.1f} s, {again} retries"
    )


def _settle(one: Stack, customers: Customers) -> None:
    with step("waiting for every answer"):
        ends = customers.await_answers()
    told = ", ".join(f"{count} × {problem}" for problem, count in customers.failures.most_common())
    say(f"  every order is answered: {_told(ends)}; retries: {told or 'none'}")
    books.check(one, customers.told)


def _await_in_sync(one: Stack) -> None:
    """Wait until every partition has all its replicas again."""
    began = time.monotonic()
    tool_ = ["/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092"]
    ask = [*tool_, "--describe", "--under-replicated-partitions"]

    def late() -> list[str]:
        return one.compose("exec", "--no-TTY", "kafka", *ask).split("\n")[:-1]

    if not wait(lambda: not late(), seconds=IN_SYNC_SECONDS, pause=1):
        raise TrialError("\n".join(["partitions are not in sync:", *late()[:10]]))
    say(f"  the broker is up again, all replicas in sync after {time.monotonic() - began:.0f} s")


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
    with step("checking the image"):
        posture.check_image(docker, IMAGE)


def _check_files(docker: Engine) -> None:
    """Compose accepts its files in every combination, and prints no warning."""
    profiles = [f"--env-file docker/{profile}.env" for profile in PROFILES if profile != "default"]
    ways = ["", *profiles, "--file docker/kafka-elsewhere.yaml"]
    for way in ways:
        with step(f"docker compose {way} config"):
            words = [*docker.compose, "--file", "docker/compose.yaml", *way.split(), "config", "--quiet"]
            if found := run(["sh", "-c", 'exec "$@" 2>&1', "sh", *words], env=docker.env):
                raise TrialError(found)
    say(f"docker compose config finds no fault in {len(ways)} combinations of its files")


def _too_long(*_: object) -> None:
    raise TrialError(f"the trial did not end within {LIMIT_SECONDS} s")


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


@contextmanager
def _images(docker: Engine) -> Iterator[list[str]]:
    """Provide the images of the stack. Stand-ins are removed at the end from an engine that is not ours."""
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
