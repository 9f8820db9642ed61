"""The targets: mostly ratios within one run, because a busy machine slows all subjects alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.observing import WATCHED
from bench.posting import WITH_TOKENS

Found = Mapping[str, Mapping[str, Mapping[str, float]]]
MANY, ONE, REPLAYS = "POST, 64 connections", "POST, 1 connections", "POST, 64 connections, 10 % replays"
PAGES, RELAY, RELAY_IDLE = "GET a page of 20", "relay, a backlog", "relay, idle"
WAITERS, BESIDE = "1,000 waiters", "POST beside 1,000 waiters"
READ = "GET pages of many users"
LOOKED_AT = "the API at 500 orders a second"
CONSUMER, IDLE, MINUTE = "consumer, a backlog", "POST to stock visible, idle", "500 orders/s for 60 s"


@dataclass(frozen=True)
class Check:
    """A target, with the number that was measured."""

    what: str
    target: str
    found: float
    reached: bool

    @property
    def line(self) -> str:
        return f"{'reached' if self.reached else 'MISSED '}  {self.what}: {self.found:.3g} ({self.target})"


@dataclass(frozen=True)
class Target:
    """A number computed from the medians, and its bound."""

    what: str
    value: Callable[[Found], float]
    least: float | None = None
    most: float | None = None

    def check(self, found: Found) -> Check:
        value = self.value(found)
        reached = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return Check(self.what, bound, value, reached)


def _ratio(measure: str, metric: str, one: str, other: str) -> Callable[[Found], float]:
    return lambda found: found[measure][one][metric] / found[measure][other][metric]


def _plain(measure: str, subject: str, metric: str) -> Callable[[Found], float]:
    return lambda found: found[measure][subject][metric]


def _p99(found: Found, measure: str, subject: str) -> float:
    return found[measure][subject]["p99_ms"] / found[measure][subject]["p50_ms"]


def _stuck(found: Found) -> float:
    without, beside = found["relay, idle, stuck events"].values()
    return beside["p50_ms"] / without["p50_ms"]


TARGETS = (
    Target("POST at 64, FastAPI's rate", _ratio(MANY, "rate", "ours", "fastapi+asyncmy"), least=1.5),
    Target("POST at 64, the tutorial's rate", _ratio(MANY, "rate", "ours", "flask-orm"), least=10),
    Target("POST at 64, Go's rate", _ratio(MANY, "rate", "ours", "go"), least=1.3),
    Target(
        "POST at 64, Go's rate with group commit", _ratio(MANY, "rate", "ours", "go, group commit"), least=0.5
    ),
    Target(
        "POST at 64, FastAPI's rate with group commit",
        _ratio(MANY, "rate", "ours", "fastapi+asyncmy, group commit"),
        least=1.4,
    ),
    Target("POST at 64, p99 of the p50", lambda found: _p99(found, MANY, "ours"), most=3),
    Target("POST at 64 with tokens, the rate without", _ratio(MANY, "rate", WITH_TOKENS, "ours"), least=0.97),
    Target("POST at 64, our rate without a database", _ratio(MANY, "rate", "ours", "ceiling"), least=0.7),
    Target("POST at 64, p99 in ms", _plain(MANY, "ours", "p99_ms"), most=40),
    Target("POST at 64, FastAPI's CPU", _ratio(MANY, "cpu_ms", "ours", "fastapi+asyncmy"), most=0.9),
    Target("POST at 1, FastAPI's p50", _ratio(ONE, "p50_ms", "ours", "fastapi+asyncmy"), most=1.4),
    Target(
        "POST with 10 % replays, the rate without",
        lambda found: found[REPLAYS]["ours"]["rate"] / found[MANY]["ours"]["rate"],
        least=0.85,
    ),
    Target("GET pages of many users, Node's rate", _ratio(READ, "rate", "ours", "node"), least=1),
    Target("GET pages of many users, Spring's rate", _ratio(READ, "rate", "ours", "spring"), least=1.5),
    Target("GET pages of many users, p99 of the p50", lambda found: _p99(found, READ, "ours"), most=5),
    Target("GET of 500,000, the rate of 1,000", _ratio(PAGES, "rate", "of 500,000", "of 1,000"), least=0.9),
    Target(
        "1,000 waiters, the longest from commit to answer in ms",
        _plain(WAITERS, "ours", "longest_ms"),
        most=200,
    ),
    Target("1,000 waiters, statements a second", _plain(WAITERS, "ours", "statements_a_second"), most=21),
    Target("1,000 waiters, connections to the database", _plain(WAITERS, "ours", "connections"), most=1),
    Target("POST beside 1,000 waiters, p99 without", _ratio(BESIDE, "p99_ms", "beside", "without"), most=1.5),
    *(
        Target(f"{measure}: the rate without", _ratio(measure, "rate", WATCHED, "ours"), least=0.95)
        for measure in ("POST, watched", "relay, watched", "consumer, watched")
    ),
    Target("relay, events a second", _plain(RELAY, "orders-relay", "rate"), least=15_000),
    Target("relay, commit to acknowledged, p50 in ms", _plain(RELAY_IDLE, "orders-relay", "p50_ms"), most=8),
    Target("relay, percent of a core when idle", _plain(RELAY_IDLE, "orders-relay", "rest_percent"), most=3),
    Target("relay with 1,000,000 stuck events, p50 without them", _stuck, most=1.2),
    Target("consumer, reservations a second", _plain(CONSUMER, "stock-consumer", "rate"), least=12_000),
    Target(
        "consumer, all on one product", _plain(CONSUMER, "stock-consumer, one product", "rate"), least=12_000
    ),
    Target("consumer, the peer's rate", _ratio(CONSUMER, "rate", "stock-consumer", "catalog-rmw"), least=8),
    Target("POST to stock visible, p50 in ms", _plain(IDLE, "ours", "p50_ms"), most=12),
    Target("POST to stock visible, p99 in ms", _plain(IDLE, "ours", "p99_ms"), most=40),
    Target("500/s, POST to answered, p99 in ms", _plain(MINUTE, "ours", "p99_ms"), most=250),
    Target("500/s, orders pending at the end", _plain(MINUTE, "ours", "backlog"), most=250),
    Target(
        "an open page, more percent of a core",
        lambda found: (
            found[LOOKED_AT]["a page is open"]["percent"] - found[LOOKED_AT]["nobody looks"]["percent"]
        ),
        most=5,
    ),
    Target(
        "an open page, updates a second", _plain(LOOKED_AT, "a page is open", "updates_a_second"), most=1.1
    ),
    Target("megabytes more after 200,000 orders", _plain("megabytes of the API", "ours", "more"), most=5),
    Target("--help, seconds", _plain("--help", "ours", "seconds"), most=0.3),
    Target("run, seconds", _plain("run, from nothing to ready", "ours", "seconds"), most=3),
    Target("run, megabytes", _plain("run, from nothing to ready", "ours", "megabytes"), most=150),
    Target(
        "largest worker, megabytes",
        lambda found: max(one["megabytes"] for one in found["megabytes after it"].values()),
        most=80,
    ),
)


def verdicts(found: Found) -> list[Check]:
    """Each target whose numbers were measured in this run."""
    checks = []
    for target in TARGETS:
        try:
            checks.append(target.check(found))
        except KeyError:  # It was not measured in this run.
            continue
    return checks
