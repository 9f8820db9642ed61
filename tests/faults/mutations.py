"""Removes each mechanism from a copy of the tree, and runs what should fail: tests, and the simulation.

A mutation that turns no test red is a hole in the tests, and ends this with exit code 1. So does one that the
simulation (`rig/simulation`) does not notice within `SEEDS` histories, unless `not_simulated` says why it
cannot.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import waiting

ROOT = Path(__file__).resolve().parents[2]
FAST_SECONDS, FAULT_SECONDS, SIMULATION_SECONDS = 300, 600, 1200
SEEDS = 2000


@dataclass(frozen=True)
class Mutation:
    """A change that removes a mechanism, and the tests that must fail without it."""

    name: str
    file: str
    before: str
    after: str
    tests: Sequence[str]
    not_simulated: str = ""  # Why the simulation cannot notice it.


MUTATIONS = (
    Mutation(
        "the status moves whatever it is",
        "orders_service/orders/service.py",
        ".where(Order.order_id.in_(order_ids), Order.status.in_(allowed))",
        ".where(Order.order_id.in_(order_ids))",
        [
            "tests/orders/test_service.py",
            "tests/faults/test_processes.py::test_customers_cancel_while_the_catalog_confirms",
        ],
    ),
    Mutation(
        "the version that a client requires is not checked",
        "orders_service/orders/service.py",
        "        statement = statement.where(Order.version.in_(versions))\n",
        "        pass\n",
        ["tests/api/test_etags.py"],
        not_simulated="the simulated customers send no If-Match",
    ),
    Mutation(
        "the product's row is not locked",
        "orders_service/catalog/ledger.py",
        "    .with_for_update()\n",
        "",
        [
            "tests/faults/test_side_by_side.py::"
            "test_two_consumers_lose_stock_the_courses_way_and_four_of_ours_none"
        ],
    ),
    Mutation(
        "a duplicate key (1062) is no reason to roll back and do it again",
        "orders_service/database/errors.py",
        "        or isinstance(error, IntegrityError)",
        "        or False",
        ["tests/faults/test_processes.py::test_twins_of_one_key_are_one_order"],
    ),
    Mutation(
        "after an error the transaction is not rolled back",
        "orders_service/database/transactions.py",
        "        except DBAPIError as error:\n            _roll_back(session)\n",
        "        except DBAPIError as error:\n",
        ["tests/api/test_faults.py"],
    ),
    Mutation(
        "after a COMMIT that failed the connection is not rolled back",
        "orders_service/database/transactions.py",
        "            session.dialect.do_rollback(session.connection)\n",
        "            pass\n",
        ["tests/database/test_transactions.py", "tests/api/test_faults.py"],
    ),
    Mutation(
        "every relay has every lane",
        "orders_service/events/leases.py",
        "            connection.rollback()\n            return False\n",
        "            connection.rollback()\n            return True\n",
        [
            "tests/events/test_relay.py",
            "tests/faults/test_processes.py::test_several_relays_send_nothing_twice",
        ],
    ),
    Mutation(
        "a row is marked before its acknowledgement",
        "orders_service/events/relay.py",
        "        if not self._producer.wait(lane.deliveries, seconds=patience):\n"
        "            self._hold(connection, name)\n"
        "            return True\n",
        "        for delivery in lane.deliveries:\n            delivery.acknowledged = True\n",
        [
            "tests/events/test_relay.py",
            "tests/faults/test_kafka.py::test_the_broker_is_killed",
        ],
    ),
    Mutation(
        "the offset is committed before the database",
        "orders_service/events/consumer.py",
        "        try:\n            outcome = self._apply(records)\n",
        "        self._subscription.acknowledge(records)\n"
        "        try:\n            outcome = self._apply(records)\n",
        [
            "tests/events/test_consumer.py",
            "tests/faults/test_killed.py::"
            "test_both_consumers_are_killed_and_others_take_over[transaction.written]",
        ],
    ),
    Mutation(
        "an order's next event does not wait for the outcome of this one",
        "orders_service/events/relay.py",
        "        return list(first.values())\n",
        "        return found\n",
        ["tests/events/test_relay.py"],
    ),
    Mutation(
        "the metrics of an attempt that was rolled back count",
        "orders_service/events/consumer.py",
        "            observations.forget(session)\n",
        "",
        ["tests/events/test_consumer_metrics.py", "tests/flow/test_metrics.py"],
        not_simulated="the simulation reads no metrics",
    ),
    Mutation(
        "after an error the records are not read again",
        "orders_service/events/consumer.py",
        "            self._subscription.rewind(records)\n            raise\n",
        "            raise\n",
        ["tests/events/test_consumer.py"],
    ),
    Mutation(
        "a cancellation of an unknown order is forgotten",
        "orders_service/catalog/ledger.py",
        "            self._record_decision(event, State.VOID)\n            return\n",
        "            return\n",
        ["tests/catalog/test_ledger.py"],
    ),
    Mutation(
        "an order that comes again is not answered again",
        "orders_service/catalog/ledger.py",
        "        return _answer(event, decision)\n\n    def cancel",
        "        is_new = event.order_id in self._new_decisions\n"
        "        return _answer(event, decision) if is_new else None\n\n    def cancel",
        ["tests/catalog/test_ledger.py"],
    ),
    Mutation(
        "dead letters that are full keep nothing of a batch",
        "orders_service/events/consumer.py",
        "isinstance(error, DeadLettersFull) and len(records) > 1",
        "False",
        ["tests/flow/test_dead_letters.py"],
    ),
    Mutation(
        "a dead letter is known by topic, partition and offset alone",
        "orders_service/events/dead_letters.py",
        """        tuple_(*place).in_(list(letters)), DeadLetter.consumer_group == group
    )
    for kept in session.execute(known):
        at = kept.topic, kept.partition, kept.offset, kept.record_timestamp
""",
        """        tuple_(*place[:3]).in_([at[:3] for at in letters]), DeadLetter.consumer_group == group
    )
    for kept in session.execute(known):
        at = next((at for at in letters if at[:3] == tuple(kept)[:3]), None)
        if at is None:
            continue
""",
        ["tests/flow/test_dead_letters.py"],
    ),
    Mutation(
        "an error of the infrastructure makes a dead letter",
        "orders_service/events/consumer.py",
        "        return isinstance(error, DataError) or error_code(error) in DATA_ERRORS\n",
        "        return True\n",
        ["tests/events/test_consumer.py"],
    ),
    Mutation(
        "an event that cannot be sent now is set aside",
        "orders_service/events/relay.py",
        "            if delivery.permanent:\n",
        "            if delivery.error:\n",
        ["tests/events/test_relay.py"],
    ),
    Mutation(
        "records of open and aborted transactions are read",
        "orders_service/events/brokers/kafka/reading.py",
        'isolation_level="read_committed"',
        'isolation_level="read_uncommitted"',
        ["tests/events/brokers/kafka/test_features.py"],
        not_simulated="it is an option of kafka-python, and the simulation has its own broker",
    ),
    Mutation(
        "a topic that was created again is not recognised",
        "orders_service/events/brokers/kafka/positions.py",
        "            if present and topic and present != topic:\n",
        "            if False:\n",
        ["tests/events/brokers/kafka/test_features.py"],
        not_simulated="it is in the Kafka client, and the simulation has its own broker",
    ),
    Mutation(
        "the purge never looks behind its place",
        "orders_service/events/upkeep.py",
        "            self._sweeping = not self._sweeping\n",
        "",
        ["tests/events/test_purge.py"],
        not_simulated="rows that stay too long cost space, and break no promise",
    ),
)


def main() -> None:
    """Run the named mutations, or all; print the table for the docs."""
    wanted = sys.argv[1:]
    table, survived = [], []
    for mutation in MUTATIONS:
        if wanted and not any(word in mutation.name for word in wanted):
            continue
        noticed = []
        for test in mutation.tests:
            began = time.monotonic()
            red = caught_by(mutation, test)
            seconds = time.monotonic() - began
            print(f"{mutation.name}: {test}: {', '.join(red) or 'NOT NOTICED'} ({seconds:.0f} s)", flush=True)
            noticed += [f"`{name}`" for name in red]
            survived += [] if red else [f"{mutation.name}: {test}"]
        found = mutation.not_simulated or caught_by_simulation(mutation)
        print(f"{mutation.name}: simulation: {found or 'NOT NOTICED'}", flush=True)
        survived += [] if found else [f"{mutation.name}: simulation"]
        table.append(f"| {mutation.name} | {', '.join(noticed) or '**none**'} | {found or '**none**'} |")
    print("\n| taken out | red | simulation |\n|---|---|---|\n" + "\n".join(table))
    sys.exit(f"not noticed: {'; '.join(survived)}" if survived else 0)


def caught_by(mutation: Mutation, test: str) -> list[str]:
    """The tests that fail without the mechanism."""
    is_fault, is_real = "faults" in test, "kafka" in test
    marker = [] if is_fault else ["-m", "real" if is_real else "not real"]
    with mutated(mutation) as copy:
        done = _run(
            copy,
            *("-m", "pytest", "-p", "no:cacheprovider", "-q", test, *marker),
            seconds=FAULT_SECONDS if is_fault or is_real else FAST_SECONDS,
        )
    if done.returncode not in (0, 1):
        sys.exit(f"{test} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [*dict.fromkeys(re.findall(r"(?m)^FAILED \S+?::(\w+)", done.stdout))]


def caught_by_simulation(mutation: Mutation) -> str:
    """The promise that is broken without the mechanism, and after how many histories; "" if none is."""
    options = ["--no-known", "--first", "0", "--seeds", str(SEEDS), "--until-broken", "--no-shrinking"]
    with mutated(mutation) as copy:
        done = _run(copy, "-m", "rig.simulation", *options, seconds=SIMULATION_SECONDS)
    if done.returncode not in (0, 1):
        sys.exit(f"the simulation cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    seeds = re.findall(r"(?m)^seed (\d+): (\w.{0,60})", done.stdout)
    return f"seed {seeds[0][0]}: {seeds[0][1]}" if seeds else ""


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Path]:
    """A copy of the tree without the mechanism."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
        mutate(copy / mutation.file, mutation)
        yield copy


def mutate(file: Path, mutation: Mutation) -> None:
    """Change the copy; the change must still fit the code."""
    text = file.read_text()
    if text.count(mutation.before) != 1:
        sys.exit(f"the mutation '{mutation.name}' no longer fits {mutation.file}")
    file.write_text(text.replace(mutation.before, mutation.after))


def _run(copy: Path, *words: str, seconds: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},  # The processes of a test run the copy, too.
        capture_output=True,
        text=True,
        timeout=waiting.seconds(seconds),
        check=False,
    )


if __name__ == "__main__":
    main()
