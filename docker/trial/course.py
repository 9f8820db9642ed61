"""The course of a trial: the engine, the images and the files, and then each profile."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trial import images, posture
from trial.engine import Engine, engine
from trial.profiles import PROFILES
from trial.shell import ROOT, TrialError, run, say, step
from trial.stack import IMAGE, files_of, make_secrets, stack
from trial.tools import tool

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
    compose = files_of("default")
    ways = [*map(files_of, PROFILES), [*compose, "--file", "docker/kafka-elsewhere.yaml"]]
    for way in ways:
        with step(f"docker compose {' '.join(way)} config"):
            words = [*docker.compose, *way, "config", "--quiet"]
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
