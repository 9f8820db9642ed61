"""The faults of a soak. Each is a function that returns what it did."""

import json
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lab.ports import free_ports
from orders_service.events.brokers.port import Outgoing
from rig.deployment import WORKERS
from tests.attacks.attackers import ATTACKS, ORDERING
from tests.faults.stage import Stage

PROCESSES = ("api", "api#2", *(f"{worker}{copy}" for worker in WORKERS for copy in ("", "#2", "#3")))
POINTS = {
    "relay": ("relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked"),
    "consumer": ("transaction.written", "transaction.committed", "consumer.acknowledged"),
}
COMMIT = b"\x03COMMIT"
PLENTY = "LAMP-3"  # A product of `Stage.ordering` that does not sell out.
ATTACK_SECONDS = 5

Fault = Callable[["Soak"], str]


class Soak:
    """Several instances of each process, and what breaks one thing after another."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage = stage
        self.chance = chance
        self.second_port, *scraped = free_ports(1 + len(PROCESSES))
        self.metrics = dict(zip(PROCESSES, scraped, strict=True))  # The port of each process for Prometheus.
        self.direct = stage.databases.environment
        # These may be killed at any moment. No other fault happens to them until then.
        self.armed: set[str] = set()

    def start(self, *names: str, **environment: str) -> None:
        """Start processes. The APIs reach MariaDB directly, because the proxy is too slow for them."""
        for name in names:
            own = environment | {"METRICS_PORT": str(self.metrics[name])}
            if name.startswith("api"):
                own |= self.direct
            if name == "api#2":
                own["API_PORT"] = str(self.second_port)
            self.stage.deployment.start(name, **own)

    def any_process(self) -> str:
        return self.chance.choice([name for name in PROCESSES if name not in self.armed])

    def any_worker(self) -> str:
        return self.chance.choice([name for name in PROCESSES[2:] if name not in self.armed])

    def tend(self) -> None:
        """Restart the processes that were killed at a crash point."""
        crashed = self.stage.tend()
        self.armed -= set(crashed)
        self.start(*crashed)


def killed(soak: Soak) -> str:
    name = soak.any_process()
    soak.stage.deployment.kill(name)
    soak.start(name)
    return f"{name} killed"


def killed_at_a_point(soak: Soak) -> str:
    name = soak.any_worker()
    kind = name.partition("#")[0].rpartition("-")[2]
    point = f"{soak.chance.choice(POINTS[kind])}:{soak.chance.randint(1, 50)}"
    soak.stage.stop(name)
    soak.start(name, CRASH_AT=point)
    soak.armed.add(name)
    return f"{name} will be killed at {point}"


def frozen(soak: Soak) -> str:
    name, seconds = soak.any_worker(), soak.chance.uniform(1, 20)
    soak.stage.deployment.signal(name, signal.SIGSTOP)
    time.sleep(seconds)
    soak.stage.thaw(name)
    return f"{name} frozen for {seconds:.0f} s"


def told_to_stop(soak: Soak) -> str:
    name = soak.any_process()
    soak.stage.stop(name)
    soak.start(name)
    return f"{name} told to stop"


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
    broker = soak.chance.choice(soak.stage.lab.kafka.brokers)
    seconds = soak.chance.uniform(1, 12)
    broker.signal(signal.SIGSTOP)
    time.sleep(seconds)
    broker.signal(signal.SIGCONT)
    return f"{broker.name} paused for {seconds:.0f} s"


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


def transaction_aborted(soak: Soak) -> str:
    """Send valid orders in a transaction and abort it. No consumer may apply them."""
    catalog, _ = soak.stage.topics
    numbers = [str(uuid.UUID(int=soak.chance.getrandbits(128))) for _ in range(20)]
    with soak.stage.transaction() as producer:
        for number in numbers:
            order = {"productId": PLENTY, "qty": 1, "unitPrice": 1, "totalPrice": 1, "orderId": number}
            producer.send(
                catalog, key=PLENTY.encode(), value=json.dumps(order | {"userId": "nobody"}).encode()
            )
        producer.flush()
        producer.abort_transaction()
    return f"{len(numbers)} orders in a transaction that was aborted"


def attacked(soak: Soak) -> str:
    """Attack one of the APIs while customers order, but place no orders: they are not in the history."""
    attack = soak.chance.choice([attack for attack in ATTACKS if attack not in ORDERING])
    port = soak.chance.choice([soak.stage.deployment.port, soak.second_port])
    command = [sys.executable, "-m", "tests.attacks.attackers", attack, str(port), str(ATTACK_SECONDS)]
    subprocess.run(command, stderr=subprocess.DEVNULL, timeout=10 * ATTACK_SECONDS)
    return f"attacked for {ATTACK_SECONDS} s: {attack}"


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
    transaction_aborted,
    attacked,
)
