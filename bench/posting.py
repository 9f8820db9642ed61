"""POST an order: on one connection, and on 64 at once."""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import click

from bench import built
from bench.stage import Stage
from bench.wrk import load
from orders_service.commands.new_token import new_token
from orders_service.contract.scopes import WRITE
from orders_service.settings import Settings
from rig.processes import Process, service

WORKERS = 2
OURS, CEILING, WITHOUT_OUTBOX = "ours", "ceiling", "flask-orm"
WITH_TOKENS = "ours, AUTH_MODE=jwt"
IN_GROUPS = {"MODE": "group"}  # The peer commits all orders that wait together.
JWT = {
    "AUTH_MODE": "jwt",
    "AUTH_SECRET": "a secret for the bench, which has at least 64 bytes, as HS512 needs",
}
EVENTS = "SELECT COUNT(DISTINCT aggregateid) FROM orders.outbox"
WRONG_EVENTS = """
SELECT COUNT(*) FROM orders.outbox e LEFT JOIN orders.orders o ON o.order_id = e.aggregateid
WHERE o.id IS NULL OR e.topic = '' OR e.lane <> e.topic
OR e.`key` <> o.product_id OR JSON_VALUE(e.payload, '$.orderId') <> o.order_id
OR JSON_VALUE(e.payload, '$.userId') <> o.user_id OR JSON_VALUE(e.payload, '$.productId') <> o.product_id
OR JSON_VALUE(e.payload, '$.qty') <> o.qty OR JSON_VALUE(e.payload, '$.unitPrice') <> o.unit_price
OR JSON_VALUE(e.payload, '$.totalPrice') <> o.total_price
"""
USERS = 100  # As in `post.lua`.
WARM = 50_000  # Orders after which the memory of every worker has stopped growing.


@dataclass(frozen=True)
class Subject:
    """A server that accepts orders."""

    name: str
    process: Process
    url: str
    tokens: str = ""  # The file with the tokens of its users, if it asks for them.


def subjects(stage: Stage, *, only: Collection[str] = (), **settings: str) -> list[Subject]:
    """Our API, our API without a database, and the alternatives, by default all; all of them listen.

    One whose tools are not here is left out, with a line that says why.
    """
    uvicorn = ["uvicorn", "bench.peers.fastapi_asyncmy:app", "--workers", str(WORKERS), "--no-access-log"]
    fastapi = [sys.executable, "-m", *uvicorn, "--port", "{port}"]
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
    flask = [sys.executable, "-m", *gunicorn, "-b", "127.0.0.1:{port}", "--no-control-socket"]
    commands: dict[str, tuple[Callable[[], list[str]], dict[str, str]]] = {
        OURS: (lambda: service("api"), {}),
        WITH_TOKENS: (lambda: service("api"), JWT),
        CEILING: (lambda: [sys.executable, "-m", "bench.ceiling"], {}),
        "fastapi+asyncmy": (lambda: fastapi, {}),
        "fastapi+asyncmy, group commit": (lambda: fastapi, IN_GROUPS),
        WITHOUT_OUTBOX: (lambda: flask, {}),
        "node": (lambda: built.node(stage.folder), {"WORKERS": str(WORKERS)}),
        "spring": (lambda: built.spring(stage.folder), {}),
        "go": (lambda: built.go(stage.folder), {}),
        "go, group commit": (lambda: built.go(stage.folder), IN_GROUPS),
    }
    chosen = {name: how for name, how in commands.items() if not only or name in only}
    served = (_served(stage, name, command, own | settings) for name, (command, own) in chosen.items())
    return [subject for subject in served if subject]


def _served(
    stage: Stage, name: str, command: Callable[[], list[str]], settings: dict[str, str]
) -> Subject | None:
    database = settings.get("ORDERS_DATABASE_URL", stage.environment["ORDERS_DATABASE_URL"])
    settings |= {
        "API_WORKERS": str(WORKERS),
        "JDBC_URL": built.jdbc_url(database),
        "CATALOG_TOPIC": stage.settings.catalog_topic,
    }
    try:
        process, url = stage.serve(name, command(), **settings)
    except built.NotHere as reason:
        click.echo(f"SKIPPED {name}: {reason}")
        return None
    return Subject(name, process, url, _tokens(stage) if name == WITH_TOKENS else "")


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
    warm = load(subject.url, "post.lua", connections=connections, seconds=1, tokens=subject.tokens)
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
    if subject.name != CEILING and not replays:
        audit(stage, subject, warm.accepted + met.accepted, connections=connections)
    spent, database = subject.process.cpu() - before, stage.database_cpu() - database
    return met.metrics(spent) | {
        "database_cpu_ms": database / met.requests * 1000,
        "orders_per_commit": met.requests / max(1, commits),
    }


def audit(stage: Stage, subject: Subject, accepted: int, *, connections: int) -> None:
    """Compare what is stored with what was answered: each order once, with an event of the same content.

    At the end of each load, an order of each connection may be stored whose answer was not counted.
    """
    orders = _settled(lambda: stage.number("SELECT COUNT(*) FROM orders.orders"))
    events = orders if subject.name == WITHOUT_OUTBOX else stage.number(EVENTS)
    wrong = stage.number(WRONG_EVENTS)
    if not (accepted <= orders <= accepted + 2 * connections) or events != orders or wrong:
        stored = f"{orders} are stored, {events} of them have an event, {wrong} a wrong one"
        raise AssertionError(f"{subject.name}: {accepted} orders were accepted, {stored}")


def _settled(count: Callable[[], int]) -> int:
    """The number when it no longer changes: what was sent last may still be committed."""
    before, now = -1, count()
    while before != now:
        time.sleep(0.3)
        before, now = now, count()
    return now


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
