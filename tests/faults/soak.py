"""Fault after fault, picked at random, under a steady stream of orders: `make soak MINUTES=10`."""

import argparse
import os
import random
import secrets
import shutil
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab import Lab, Ports
from orders_service.events.broker import Outgoing
from tests.faults.customers import Customers
from tests.faults.stage import Stage

FOLDER = Path("var/soak")
RATE = 300.0  # Orders a second.
CROWD = 24
REST_SECONDS = 300.0
PROGRESS_SECONDS = 5
PAUSE_SECONDS = (2.0, 8.0)  # Between two faults.
WORDS = ("orders-relay", "catalog-relay", "stock-consumer", "status-consumer")
PROCESSES = ("api", "api#2", *(f"{word}{copy}" for word in WORDS for copy in ("", "#2", "#3")))
POINTS = {
    "relay": ("relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked"),
    "consumer": ("transaction.written", "transaction.committed", "consumer.acknowledged"),
}
COMMIT = b"\x03COMMIT"

Fault = Callable[["Soak"], str]


class Soak:
    """Several of everything, and somebody who breaks one thing after the other."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage = stage
        self.chance = chance
        self.second_port = Ports.free().connect
        self.direct = stage.databases.environment
        self.armed: set[str] = set()  # They may die at any moment, and are left alone until then.

    def start(self, *words: str, **environment: str) -> None:
        """Start processes. The APIs reach MariaDB directly: the proxy could not keep up with them."""
        for word in words:
            own = dict(environment)
            if word.startswith("api"):
                own |= self.direct
            if word == "api#2":
                own["API_PORT"] = str(self.second_port)
            self.stage.deployment.start(word, **own)

    def any_process(self) -> str:
        return self.chance.choice([word for word in PROCESSES if word not in self.armed])

    def any_worker(self) -> str:
        return self.chance.choice([word for word in PROCESSES[2:] if word not in self.armed])

    def tend(self) -> None:
        """Start those anew that were killed at a point."""
        crashed = self.stage.tend()
        self.armed -= set(crashed)
        self.start(*crashed)


def killed(soak: Soak) -> str:
    word = soak.any_process()
    soak.stage.deployment.kill(word)
    soak.start(word)
    return f"{word} killed"


def killed_at_a_point(soak: Soak) -> str:
    word = soak.any_worker()
    kind = word.partition("#")[0].rpartition("-")[2]
    point = f"{soak.chance.choice(POINTS[kind])}:{soak.chance.randint(1, 50)}"
    soak.stage.stop(word)
    soak.start(word, CRASH_AT=point)
    soak.armed.add(word)
    return f"{word} will be killed at {point}"


def frozen(soak: Soak) -> str:
    word, seconds = soak.any_worker(), soak.chance.uniform(1, 20)
    soak.stage.deployment.signal(word, signal.SIGSTOP)
    time.sleep(seconds)
    soak.stage.thaw(word)
    return f"{word} frozen for {seconds:.0f} s"


def told_to_stop(soak: Soak) -> str:
    word = soak.any_process()
    soak.stage.stop(word)
    soak.start(word)
    return f"{word} told to stop"


def connections_cut(soak: Soak) -> str:
    soak.stage.network.cut()
    return "every worker's connection to MariaDB cut"


def commits_lost(soak: Soak) -> str:
    soak.stage.network.lose_request(COMMIT, times=10)
    soak.stage.network.lose_reply(COMMIT, times=10)
    return "10 commits and 10 replies to commits lost"


def network_stalled(soak: Soak) -> str:
    seconds = soak.chance.uniform(1, 12)
    with soak.stage.network.stalled():
        time.sleep(seconds)
    return f"the workers' network to MariaDB stalled for {seconds:.0f} s"


def kafka_killed(soak: Soak) -> str:
    soak.stage.lab.kafka.kill()
    time.sleep(soak.chance.uniform(0, 5))
    soak.stage.lab.kafka.start()
    return "Kafka killed"


def kafka_paused(soak: Soak) -> str:
    (broker,) = soak.stage.lab.kafka.brokers
    seconds = soak.chance.uniform(1, 12)
    broker.signal(signal.SIGSTOP)
    time.sleep(seconds)
    broker.signal(signal.SIGCONT)
    return f"Kafka paused for {seconds:.0f} s"


def mariadb_killed(soak: Soak) -> str:
    soak.stage.lab.mariadb.kill()
    soak.stage.lab.mariadb.start()
    return "MariaDB killed"


def mariadb_read_only(soak: Soak) -> str:
    with soak.stage.lab.mariadb.connect() as root, root.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        time.sleep(2)
        cursor.execute("SET GLOBAL read_only = 0")
    return "MariaDB read-only for 2 s"


def sent_again(soak: Soak) -> str:
    since = datetime.now(UTC) - timedelta(seconds=10)
    soak.stage.deployment.run("outbox", "requeue", "--since", since.strftime("%Y-%m-%dT%H:%M:%S"))
    return "the events of 10 s sent again"


def poisoned(soak: Soak) -> str:
    values = [f"poison {uuid.UUID(int=soak.chance.getrandbits(128))}".encode() for _ in range(10)]
    catalog, _ = soak.stage.topics
    soak.stage.poison |= set(values)
    soak.stage.send([Outgoing(catalog, value, value) for value in values])
    return "10 records of poison"


FAULTS: tuple[Fault, ...] = (
    killed,
    killed_at_a_point,
    frozen,
    told_to_stop,
    connections_cut,
    commits_lost,
    network_stalled,
    kafka_killed,
    kafka_paused,
    mariadb_killed,
    mariadb_read_only,
    sent_again,
    poisoned,
)


def soak(stage: Stage, minutes: float, chance: random.Random) -> None:
    """Break one thing after the other while customers order; then judge."""
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
    """Tell every few seconds how many orders were accepted."""
    before = customers.accepted
    while not done.wait(PROGRESS_SECONDS):
        now = customers.accepted
        say(f"{now} orders accepted, {(now - before) / PROGRESS_SECONDS:.0f} a second")
        before = now


def say(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {line}", flush=True)


def main() -> None:
    """Soak for as long as asked. What went wrong is told, and the logs are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", default=os.environ.get("FAULTS_SEED") or secrets.token_hex(4))
    given = parser.parse_args()
    say(f"the same faults in the same order: FAULTS_SEED={given.seed}")
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
