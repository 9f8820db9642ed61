"""POST an order: on one connection, and on 64 at once."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stage import Stage
from bench.wrk import load
from orders_service.commands.new_token import new_token
from orders_service.contract.scopes import WRITE
from orders_service.settings import Settings
from rig.processes import Process, service

WORKERS = 2
WITH_TOKENS = "ours, AUTH_MODE=jwt"
JWT = {
    "AUTH_MODE": "jwt",
    "AUTH_SECRET": "a secret for the bench, which has at least 64 bytes, as HS512 needs",
}
USERS = 100  # As in `post.lua`.
WARM = 50_000  # Orders after which the memory of every worker has stopped growing.


@dataclass(frozen=True)
class Subject:
    """A server that accepts orders."""

    name: str
    process: Process
    url: str
    tokens: str = ""  # The file with the tokens of its users, if it asks for them.


def subjects(stage: Stage) -> list[Subject]:
    """Our API, our API without a database, and the alternatives; all of them listen."""
    uvicorn = ["uvicorn", "bench.peers.fastapi_asyncmy:app", "--workers", str(WORKERS), "--no-access-log"]
    threads = ["-k", "gthread", "-w", str(WORKERS), "--threads", "8"]
    gunicorn = ["gunicorn", "bench.peers.flask_orm:app", *threads]
    commands = {
        "ours": service("api"),
        WITH_TOKENS: service("api"),
        "ceiling": [sys.executable, "-m", "bench.ceiling"],
        "fastapi+asyncmy": [sys.executable, "-m", *uvicorn, "--port", "{port}"],
        "flask-orm": [sys.executable, "-m", *gunicorn, "-b", "127.0.0.1:{port}", "--no-control-socket"],
    }
    found = []
    for name, command in commands.items():
        settings = JWT if name == WITH_TOKENS else {}
        process, url = stage.serve(name, command, API_WORKERS=str(WORKERS), **settings)
        found.append(Subject(name, process, url, _tokens(stage) if settings else ""))
    return found


def _tokens(stage: Stage) -> str:
    """Write a token for each user of `post.lua`; the path of the file."""
    settings = Settings.read(stage.environment | JWT)
    users = (f"user-{number}" for number in range(1, USERS + 1))
    tokens = [new_token(settings, user, scope=WRITE, seconds=86_400) for user in users]
    path = stage.folder / "tokens"
    path.write_text("\n".join(tokens))
    return str(path)


def rates(
    stage: Stage,
    subjects: Sequence[Subject],
    *,
    connections: int,
    rounds: int,
    seconds: int,
    replays: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Measure all subjects in turn, several times, and backwards each second time.

    MariaDB still purges the rows of the subject before, so none may always come after the same one.
    """
    found: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            found[subject.name].append(
                post(stage, subject, connections=connections, seconds=seconds, replays=replays)
            )
    return found


def post(
    stage: Stage, subject: Subject, *, connections: int, seconds: int, replays: int = 0
) -> dict[str, float]:
    """The rate, the latencies, and the CPU time for an order, of the API and of the database."""
    stage.empty()
    load(subject.url, "post.lua", connections=connections, seconds=1, tokens=subject.tokens)
    before, database, commits = subject.process.cpu(), stage.database_cpu(), stage.commits()
    met = load(
        subject.url,
        "post.lua",
        connections=connections,
        seconds=seconds,
        replays=replays,
        tokens=subject.tokens,
    )
    commits = stage.commits() - commits
    spent, database = subject.process.cpu() - before, stage.database_cpu() - database
    return met.metrics(spent) | {
        "database_cpu_ms": database / met.requests * 1000,
        "orders_per_commit": met.requests / max(1, commits),
    }


def leak(stage: Stage, *, orders: int) -> dict[str, float]:
    """Megabytes of all processes of the API after the warm-up, and after *orders* more."""
    stage.empty()
    process, url = stage.serve("api", service("api"), API_WORKERS=str(WORKERS))

    def post_orders(least: int) -> int:
        sent = 0
        while sent < least:
            sent += load(url, "post.lua", connections=64, seconds=5).requests
        return sent

    post_orders(WARM)
    warm = sum(process.memory()) / 1e6
    sent = post_orders(orders)
    after = sum(process.memory()) / 1e6
    process.end()
    return {"orders": sent, "warm": warm, "after": after, "more": after - warm}
