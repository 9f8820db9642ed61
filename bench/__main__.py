"""`python -m bench`: runs every measurement, all subjects in turn; prints tables and writes them as JSON."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench import consuming, looking, observing, posting, reading, relaying, starting, waiting, wrk
from bench.stage import Stage, stage
from bench.targets import Check, verdicts
from bench.whole import Whole

OUT = Path("var/bench.json")
ORDERS = 200_000  # After so many orders a memory leak is visible.

Rounds = dict[str, list[dict[str, float]]]
Found = dict[str, dict[str, dict[str, float]]]


def measures(rounds: int, seconds: int) -> dict[str, Callable[[Stage], dict[str, Rounds]]]:
    """The measurements, by the name that `--only` takes."""
    return {
        "post": lambda on: _post(on, rounds, seconds),
        "get": lambda on: {
            "GET a page of 20": reading.pages(on, rounds=rounds, seconds=seconds),
            "GET pages of many users": reading.beside(on, rounds=rounds, seconds=seconds),
        },
        "waiting": lambda on: waiting.waiting(on, rounds=rounds, seconds=seconds),
        "relay": lambda on: {
            "relay, a backlog": relaying.backlog(on, rounds=rounds),
            "relay, idle": relaying.idle(on, rounds=1),
        },
        "watched": lambda on: observing.watched(on, rounds=rounds, seconds=seconds),
        "upkeep": lambda on: {"relay, idle, stuck events": relaying.upkeep(on, rounds=rounds)},
        "consumer": lambda on: {"consumer, a backlog": consuming.backlog(on, rounds=rounds)},
        "whole": lambda on: _whole(on, rounds),
        "page": lambda on: looking.looking(on, rounds=rounds),
        "leak": lambda on: {"megabytes of the API": {"ours": [posting.leak(on, orders=ORDERS)]}},
        "start": lambda on: _start(on, rounds),
    }


def _post(on: Stage, rounds: int, seconds: int) -> dict[str, Rounds]:
    subjects = posting.subjects(on)
    ours = [subject for subject in subjects if subject.name == "ours"]
    found = {
        f"POST, {connections} connections": posting.rates(
            on, subjects, connections=connections, rounds=rounds, seconds=seconds
        )
        for connections in (64, 1)
    }
    found["POST, 64 connections, 10 % replays"] = posting.rates(
        on, ours, connections=64, rounds=rounds, seconds=seconds, replays=10
    )
    for subject in subjects:
        subject.process.end()
    return found


def _whole(on: Stage, rounds: int) -> dict[str, Rounds]:
    whole = Whole(on)
    found = {
        "POST to stock visible, idle": {"ours": [whole.idle() for _ in range(rounds)]},
        "500 orders/s for 60 s": {"ours": [whole.constant(seconds=60)]},
        "megabytes after it": {name: [{"megabytes": value}] for name, value in whole.memory().items()},
    }
    whole.stop()
    return found


def _start(on: Stage, rounds: int) -> dict[str, Rounds]:
    return {
        "--help": {"ours": [starting.help_command() for _ in range(rounds)]},
        "run, from nothing to ready": {"ours": [starting.run_command(on) for _ in range(rounds)]},
    }


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How many times each subject is measured.")
@click.option("--seconds", default=8, show_default=True, help="How long a load lasts.")
@click.option(
    "--only",
    default="",
    help="Some, with commas: post, get, waiting, relay, watched, upkeep, consumer, whole, page, leak, start.",
)
@click.option(
    "--show", type=click.Path(path_type=Path, exists=True), help="Only print the results of an earlier run."
)
@click.option("--out", default=OUT, type=click.Path(path_type=Path), show_default=True)
def main(rounds: int, seconds: int, only: str, show: Path | None, out: Path) -> None:
    """Measure what the service costs, compared with the usual alternatives. The tables are Markdown."""
    if show is not None:
        written = json.loads(show.read_text())
        for title, subjects in written["medians"].items():
            click.echo("\n".join(table(title, subjects)))
        for check in written["targets"]:
            click.echo(Check(**check).line)
        return
    if not wrk.is_installed():
        raise click.ClickException("the bench needs wrk: apt-get install wrk, or brew install wrk")
    chosen = measures(rounds, seconds)
    wanted = only.split(",") if only else list(chosen)
    if unknown := set(wanted) - chosen.keys():
        raise click.ClickException(f"there is no measurement {min(unknown)}; there are {', '.join(chosen)}")
    found: Found = {}
    raw: dict[str, Rounds] = {}
    about = {
        "commit": _commit(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 1),
        "rounds": rounds,
        "seconds": seconds,
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stage(Path(folder)) as on:
        for name in wanted:
            for title, subjects in chosen[name](on).items():
                raw[title] = subjects
                found[title] = {subject: medians(several) for subject, several in subjects.items()}
                click.echo("\n".join(table(title, found[title])))
            write(out, about, found, raw)  # Results are kept when a later measurement fails.
    for check in verdicts(found):
        click.echo(check.line)
    load = f"{about['load before']}, now {os.getloadavg()[0]:.1f}"
    click.echo(f"\nAll results are in {out}. Load of the machine: before {load}.")


def write(out: Path, about: dict[str, Any], found: Found, raw: dict[str, Rounds]) -> None:
    """Write the results as JSON."""
    out.parent.mkdir(parents=True, exist_ok=True)
    targets = [vars(check) for check in verdicts(found)]
    out.write_text(
        json.dumps({"about": about, "medians": found, "rounds": raw, "targets": targets}, indent=2) + "\n"
    )


def _commit() -> str:
    """The commit that is measured; empty without git."""
    git = shutil.which("git")
    command = [git or "git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() if git else ""


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each metric."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def table(title: str, subjects: dict[str, dict[str, float]]) -> list[str]:
    """A table in Markdown."""
    names = list(next(iter(subjects.values())))
    lines = ["", f"| {title} | {' | '.join(name.replace('_', ' ') for name in names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for subject, found in subjects.items():
        lines.append(f"| {subject} | {' | '.join(_shown(found[name]) for name in names)} |")
    return lines


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
