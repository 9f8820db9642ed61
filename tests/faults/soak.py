"""Random faults, one after another, under a constant rate of orders: `make soak MINUTES=10 [CLUSTER=yes]`.

A Prometheus scrapes all processes, and no alert may fire without a fault that explains it.
"""

import argparse
import os
import random
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lab import Lab, Ports
from rig.customers import Customers
from rig.prometheus import Prometheus
from tests.faults.alerts.scene import RULES
from tests.faults.cluster import await_in_step
from tests.faults.soak_alerts import Alerts
from tests.faults.soak_cluster import CLUSTER_FAULTS
from tests.faults.soak_faults import FAULTS, PROCESSES, Soak
from tests.faults.stage import Stage

FOLDER = Path("var/soak")
RATE = 300.0  # Orders a second.
CROWD = 24
REST_SECONDS = 300.0
PROGRESS_SECONDS = 5
SCRAPE_SECONDS = 5
PAUSE_SECONDS = (2.0, 8.0)  # Between two faults.


def soak(stage: Stage, minutes: float, chance: random.Random) -> None:
    """Break one thing after another while customers order; then judge."""
    told = Soak(stage, chance)
    stage.deployment.run("topics", "create")
    told.start(*PROCESSES)
    stage.deployment.await_ready()
    ports = [stage.deployment.port, told.second_port]
    with stage.ordering(rate=RATE, ports=ports, crowd=CROWD) as customers, watched(told) as alerts:
        done = threading.Event()
        threading.Thread(target=tell, args=(customers, done), daemon=True).start()
        try:
            break_things(told, alerts, seconds=minutes * 60)
            problems = alerts.problems()
        finally:
            done.set()
    for problem in problems:
        say(problem)  # Now: if the service does not settle, another error ends the soak.
    stage.fault = f"{minutes:g} minutes of soaking"
    stage.settle(seconds=REST_SECONDS)
    assert not problems, "\n".join(problems)


@contextmanager
def watched(told: Soak) -> Iterator[Alerts]:
    """A Prometheus that scrapes all processes, with the rules of the deployment, and the alerts that fire."""
    jobs: dict[str, list[int]] = {}
    for name, port in told.metrics.items():
        jobs.setdefault(name.partition("#")[0], []).append(port)
    every = dict.fromkeys(jobs, SCRAPE_SECONDS)
    with Prometheus(told.stage.deployment.folder / "prometheus", jobs, RULES, every=every) as prometheus:
        prometheus.await_up()
        alerts = Alerts(prometheus)
        with alerts.watching():
            yield alerts


def break_things(told: Soak, alerts: Alerts, *, seconds: float) -> None:
    """One fault after another for so long, and a report."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault = told.chance.choice(CLUSTER_FAULTS if told.stage.lab.cluster.exists else FAULTS)
        with alerts.during(fault.__name__):
            say(fault(told))
            if told.stage.lab.cluster.exists:
                await_in_step(told.stage.lab)
        counts[fault.__name__] += 1
        time.sleep(told.chance.uniform(*PAUSE_SECONDS))
        told.tend()
    say(", ".join(f"{count} × {name}" for name, count in counts.most_common()))
    for line in alerts.report():
        say(line)


def tell(customers: Customers, done: threading.Event) -> None:
    """Print every few seconds how many orders were accepted."""
    before = customers.accepted
    while not done.wait(PROGRESS_SECONDS):
        now = customers.accepted
        say(f"{now} orders accepted, {(now - before) / PROGRESS_SECONDS:.0f} a second")
        before = now


def say(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {line}", flush=True)


def main() -> None:
    """Run a soak. After a failure, print it and keep the logs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", default=os.environ.get("FAULTS_SEED") or secrets.token_hex(4))
    parser.add_argument("--cluster", action="store_true", help="on three MariaDB nodes and three brokers")
    given = parser.parse_args()
    say(f"FAULTS_SEED={given.seed} repeats the same faults in the same order")
    folder = FOLDER / given.seed
    folder.mkdir(parents=True)
    chance = random.Random(given.seed)
    brokers = 3 if given.cluster else 1
    with Lab(folder / "lab", Ports.free(), brokers=brokers, galera=given.cluster) as lab:
        stage = Stage(lab, folder, chance)
        stage.fault = "the soak"
        try:
            soak(stage, given.minutes, chance)
        except AssertionError as error:
            say(f"FAILED, the logs are in {folder}: {error}")
            sys.exit(1)
        finally:
            for line in stage.report:
                say(line)
            stage.close()
    shutil.rmtree(folder)
    say("every promise was kept")


if __name__ == "__main__":
    main()
