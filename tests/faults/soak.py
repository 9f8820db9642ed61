"""Random faults, one after another, under a constant rate of orders: `make soak MINUTES=10`."""

import argparse
import os
import random
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from lab import Lab, Ports
from rig.customers import Customers
from tests.faults.soak_faults import FAULTS, PROCESSES, Soak
from tests.faults.stage import Stage

FOLDER = Path("var/soak")
RATE = 300.0  # Orders a second.
CROWD = 24
REST_SECONDS = 300.0
PROGRESS_SECONDS = 5
PAUSE_SECONDS = (2.0, 8.0)  # Between two faults.


def soak(stage: Stage, minutes: float, chance: random.Random) -> None:
    """Break one thing after another while customers order; then judge."""
    told = Soak(stage, chance)
    stage.deployment.run("topics", "create")
    told.start(*PROCESSES)
    stage.deployment.await_ready()
    ports = [stage.deployment.port, told.second_port]
    counts: Counter[str] = Counter()
    end = time.monotonic() + minutes * 60
    with stage.ordering(rate=RATE, ports=ports, crowd=CROWD) as customers:
        done = threading.Event()
        threading.Thread(target=tell, args=(customers, done), daemon=True).start()
        try:
            while time.monotonic() < end:
                fault = chance.choice(FAULTS)
                say(fault(told))
                counts[fault.__name__] += 1
                time.sleep(chance.uniform(*PAUSE_SECONDS))
                told.tend()
        finally:
            done.set()
    say(", ".join(f"{count} × {name}" for name, count in counts.most_common()))
    stage.fault = f"{minutes:g} minutes of soaking"
    stage.settle(seconds=REST_SECONDS)


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
    given = parser.parse_args()
    say(f"FAULTS_SEED={given.seed} repeats the same faults in the same order")
    folder = FOLDER / given.seed
    folder.mkdir(parents=True)
    chance = random.Random(given.seed)
    with Lab(folder / "lab", Ports.free()) as lab:
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
