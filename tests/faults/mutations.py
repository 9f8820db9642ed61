"""Removes each mechanism from a copy of the tree, and runs the tests that should then fail.

A mutation that turns no test red is a hole in the tests, and ends this with exit code 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import waiting

ROOT = Path(__file__).resolve().parents[2]
FAST_SECONDS, FAULT_SECONDS = 300, 600


@dataclass(frozen=True)
class Mutation:
    """A change that removes a mechanism, and the tests that must fail without it."""

    name: str
    file: str
    before: str
    after: str
    tests: Sequence[str]


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
        table.append(f"| {mutation.name} | `{mutation.file}` | {', '.join(noticed) or '**none**'} |")
    print("\n| taken out | of | red |\n|---|---|---|\n" + "\n".join(table))
    sys.exit(f"not noticed: {'; '.join(survived)}" if survived else 0)


def caught_by(mutation: Mutation, test: str) -> list[str]:
    """The tests that fail without the mechanism."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
        mutate(copy / mutation.file, mutation)
        is_fault = "faults" in test
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", test]
            + ([] if is_fault else ["-m", "not real"]),
            cwd=copy,
            env=os.environ | {"PYTHONPATH": folder},  # The processes of a test run the copy, too.
            capture_output=True,
            text=True,
            timeout=waiting.seconds(FAULT_SECONDS if is_fault else FAST_SECONDS),
            check=False,
        )
    if done.returncode not in (0, 1):
        sys.exit(f"{test} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [*dict.fromkeys(re.findall(r"(?m)^FAILED \S+?::(\w+)", done.stdout))]


def mutate(file: Path, mutation: Mutation) -> None:
    """Change the copy; the change must still fit the code."""
    text = file.read_text()
    if text.count(mutation.before) != 1:
        sys.exit(f"the mutation '{mutation.name}' no longer fits {mutation.file}")
    file.write_text(text.replace(mutation.before, mutation.after))


if __name__ == "__main__":
    main()
