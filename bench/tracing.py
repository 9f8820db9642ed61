"""Follows one order through the code: how many calls, files and switches between files each step takes.

    python -m bench.tracing            # a table
    python -m bench.tracing --calls    # and each call

It runs on SQLite and the embedded log. A call is a call of a Python function of `orders_service`,
comprehensions included; a switch is a call in another file than the call before it.
"""

import sys
import tempfile
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import orders_service
from rig.databases import Databases
from tests.flow_kit import Flow

ROOT = Path(orders_service.__file__).parent
WARM_UP = 3  # Orders before the one that is followed: caches are filled, statements are built.

Call = tuple[str, str]  # The file, and the function's qualified name.


class Tracer:
    """Notes every call of the package's functions in this thread and in those that it starts."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._on = False

    def follow(self, act: Callable[[], object]) -> list[Call]:
        """The calls that *act* makes."""
        self.calls, self._on = [], True
        try:
            act()
        finally:
            self._on = False
        return self.calls

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """Note a call: a profile function."""
        path = Path(frame.f_code.co_filename)
        if self._on and event == "call" and path.is_relative_to(ROOT):
            self.calls.append((str(path.relative_to(ROOT)), frame.f_code.co_qualname))


def switches(calls: list[Call]) -> int:
    """How often two calls, one after the other, are in different files."""
    return sum(one[0] != other[0] for one, other in pairwise(calls))


def main() -> None:
    """Follow an order from the POST to its status, and print what each step takes."""
    tracer = Tracer()
    threading.setprofile(tracer.note)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        databases = Databases(f"sqlite:///{folder}/orders.db", f"sqlite:///{folder}/catalog.db")
        databases.migrate()
        flow = Flow(databases, folder)
        for _ in range(WARM_UP):
            flow.place()
            flow.run()
        sys.setprofile(tracer.note)
        steps: dict[str, Callable[[], object]] = {
            "POST": flow.place,
            "orders-relay": flow.orders_relay.step,
            "stock-consumer": flow.stock_consumer.step,
            "catalog-relay": flow.catalog_relay.step,
            "status-consumer": flow.status_consumer.step,
        }
        followed = {step: list(tracer.follow(act)) for step, act in steps.items()}
        sys.setprofile(None)
        flow.close()
        databases.dispose()
    for step, calls in followed.items():
        files = len({file for file, _ in calls})
        print(f"{step:16} {len(calls):4} calls {files:4} files {switches(calls):4} switches")
        if "--calls" in sys.argv:
            print(*(f"    {file:40} {function}" for file, function in calls), sep="\n")
    total = sum(map(len, followed.values()))
    print(f"{'all':16} {total:4} calls      {sum(map(switches, followed.values())):9} switches")


if __name__ == "__main__":
    main()
