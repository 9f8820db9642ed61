"""POST an order: from one customer at a time, and from 64 at once."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.processes import Process
from bench.stage import Stage, ours
from bench.wrk import load

WORKERS = 2
WARM = 50_000  # Orders, until every worker has grown as large as it will.


@dataclass(frozen=True)
class Subject:
    """Something that takes orders."""

    name: str
    process: Process
    url: str


def subjects(stage: Stage) -> list[Subject]:
    """Ours, ours without a database, and what a user could pick instead; all of them listen."""
    uvicorn = ["uvicorn", "bench.peers.fastapi_asyncmy:app", "--workers", str(WORKERS), "--no-access-log"]
    gunicorn = [
        "gunicorn",
        "bench.peers.flask_orm:app",
        "-k",
        "gthread",
        "-w",
        str(WORKERS),
        "--threads",
        "8",
    ]
    commands = {
        "ours": ours("api"),
        "ceiling": [sys.executable, "-m", "bench.ceiling"],
        "fastapi+asyncmy": [sys.executable, "-m", *uvicorn, "--port", "{port}"],
        "flask-orm": [sys.executable, "-m", *gunicorn, "-b", "127.0.0.1:{port}", "--no-control-socket"],
    }
    return [
        Subject(name, *stage.serve(name, command, API_WORKERS=str(WORKERS)))
        for name, command in commands.items()
    ]


def rates(
    stage: Stage, takers: Sequence[Subject], *, connections: int, rounds: int, seconds: int, replays: int = 0
) -> dict[str, list[dict[str, float]]]:
    """All subjects in turn, several times."""
    found: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in takers}
    for _ in range(rounds):
        for subject in takers:
            found[subject.name].append(
                post(stage, subject, connections=connections, seconds=seconds, replays=replays)
            )
    return found


def post(
    stage: Stage, subject: Subject, *, connections: int, seconds: int, replays: int = 0
) -> dict[str, float]:
    """The rate, the latencies, and the processor time of an order: the API's, and the database's."""
    stage.empty()
    load(subject.url, "post.lua", connections=connections, seconds=1)
    before, database, commits = subject.process.cpu(), stage.database_cpu(), stage.commits()
    met = load(subject.url, "post.lua", connections=connections, seconds=seconds, replays=replays)
    commits = stage.commits() - commits
    spent, database = subject.process.cpu() - before, stage.database_cpu() - database
    return {
        "rate": met.rate,
        "p50_ms": met.p50,
        "p99_ms": met.p99,
        "cpu_ms": spent / met.requests * 1000,
        "database_cpu_ms": database / met.requests * 1000,
        "orders_per_commit": met.requests / max(1, commits),
        "failed": met.failed,
    }


def leak(stage: Stage, *, orders: int) -> dict[str, float]:
    """What all processes of the API take once they are warm, and after so many orders more."""
    stage.empty()
    process, url = stage.serve("api", ours("api"), API_WORKERS=str(WORKERS))

    def take(least: int) -> int:
        taken = 0
        while taken < least:
            taken += load(url, "post.lua", connections=64, seconds=5).requests
        return taken

    take(WARM)
    warm = sum(process.memory()) / 1e6
    taken = take(orders)
    after = sum(process.memory()) / 1e6
    process.stop()
    return {"orders": taken, "warm": warm, "after": after, "more": after - warm}
