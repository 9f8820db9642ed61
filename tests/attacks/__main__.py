"""Runs every attack while a hundred good clients order, directly and through the gateway; prints a table.

The exit code is 1 if a good client fails during an attack, or if the p99 of their orders grows too much.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.stage import Stage, stage
from rig.processes import Process, service
from tests.attacks.attackers import ATTACKS
from tests.attacks.gateway import gateway

SECONDS = 4.0
HOARDED = 100_000  # Orders of one user.
# The largest allowed p99: in multiples of the usual one, and in milliseconds (below, a ratio says little).
# WORKING is for the attacks that use the CPU, which are listed here: they take it from the good clients, too.
# WAITING is for all others, which only wait or use memory.
WAITING, WORKING = (1.5, 30.0), (3.0, 60.0)
WORK = {
    "slow readers of lists",
    "the longest list",
    "the longest list, 8 times",
    "pipelining",
    "an unread body without end",
    "large heads, byte by byte",
    "too large heads",
    "readiness, 200 at once",
    "metrics, 100 at once",
    "many fields",
    "twins of new keys",
    "chunks of one byte",
    "streams that nobody reads",
    "streams of a busy user",
    "waits for orders",
}
MEMORY_MAX = 200e6  # Bytes by which the memory of all processes of the API may grow.
# MariaDB and Kafka write here if there is room: what is measured is the API, not a disk that flushes.
MEMORY = Path("/dev/shm")
ROOM = 4e9  # Bytes.
TRIES = 4  # A failed attack is repeated after a new usual measurement: the machine may have been busy.


@dataclass(frozen=True)
class Met:
    """What the good clients experienced, and the memory of the API before and after. Times are in ms."""

    placed: int
    p50: float
    p99: float
    longest: float
    failures: dict[str, int]
    before: float
    after: float


@dataclass
class Target:
    """A port to attack, and the API behind it."""

    name: str
    port: int
    api: Process
    usual: Met | None = None

    def measure(self, attack: str | None, seconds: float = SECONDS) -> Met:
        """Let the good clients order during *attack*: each keeps a connection and orders now and then."""
        before = sum(self.api.memory())
        attacker = None
        if attack:
            command = [sys.executable, "-m", "tests.attacks.attackers", attack]
            attacker = subprocess.Popen(
                [*command, str(self.port), str(seconds + 1)], stderr=subprocess.DEVNULL
            )
            time.sleep(0.5)
        command = [sys.executable, "-m", "tests.attacks.customers", str(self.port), str(seconds)]
        met = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        after = sum(self.api.memory())
        if attacker:
            attacker.wait(30)
        return Met(**met, before=before, after=after)

    def withstands(self, attack: str) -> bool:
        """Whether the good clients were served well enough. Prints a line for each try."""
        for number in range(TRIES):
            if self.usual is None or number:
                self.usual = self.measure(None)
                _print(self.name, "none", self.usual, 1.0, "")
            met = self.measure(attack)
            ratio = met.p99 / self.usual.p99
            most, enough = WORKING if attack in WORK else WAITING
            wrong = [
                *(["good clients failed"] if met.failures else []),
                *([f"p99 more than {most} times"] if ratio > most and met.p99 > enough else []),
                *(["memory"] if met.after - met.before > MEMORY_MAX else []),
            ]
            _print(self.name, attack, met, ratio, ", ".join(wrong) or "✔")
            if not wrong:
                return True
        return False


def _print(target: str, attack: str, met: Met, ratio: float, verdict: str) -> None:
    failed = ", ".join(f"{count} × {what}" for what, count in met.failures.items()) or "0"
    print(
        f"{target:<8} {attack:<27} {met.placed:>6} {failed:>8} {met.p50:>7.1f} {met.p99:>7.1f} {ratio:>5.2f}"
        f" {met.before / 1e6:>6.0f} → {met.after / 1e6:>4.0f}  {verdict}",
        flush=True,
    )


@contextmanager
def targets(folder: Path) -> Iterator[list[Target]]:
    """The API as it is deployed, directly and behind HAProxy with docker/haproxy.cfg."""
    with stage(folder) as found:
        _hoard(found)
        api, url = found.serve("api", service("api"), API_WORKERS="2")
        port = int(url.rpartition(":")[2])
        with gateway(folder, port) as front:
            yield [Target("direct", port, api), Target("gateway", front, api)]


def _hoard(found: Stage) -> None:
    found.sql(
        "INSERT INTO orders.orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at,"
        " status, version, updated_at) SELECT 'CATALOG-001', 1, 1500, 1500, 'hoarder', UUID(), NOW(6),"
        f" 'CONFIRMED', 2, NOW(6) FROM orders.seq_1_to_{HOARDED}"
    )


def main(names: list[str]) -> int:
    """Run the attacks of these *names*, or all; the exit code."""
    unknown = sorted(set(names) - set(ATTACKS))
    if unknown:
        print(f"There is no attack {unknown[0]!r}. There are: {', '.join(ATTACKS)}", file=sys.stderr)
        return 2
    print(
        f"{'target':<8} {'attack':<27} {'placed':>6} {'failed':>8} {'p50':>7} {'p99':>7} {'×':>5}  memory, MB"
    )
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder, targets(Path(folder)) as found:
        for target in found:
            target.measure(None, 2.0)  # This opens every connection to the database.
        withstood = [target.withstands(name) for target in found for name in names or ATTACKS]
    print(f"{sum(withstood)} passed, {len(withstood) - sum(withstood)} failed")
    return 0 if all(withstood) else 1


def _fast_folder() -> Path | None:
    """A file system in memory, if this machine has a large one."""
    with suppress(FileNotFoundError):
        if shutil.disk_usage(MEMORY).free > ROOM:
            return MEMORY
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
