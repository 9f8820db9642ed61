"""Prints the table of faults and alerts: `python -m tests.faults.alerts`."""

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from lab import Lab, Ports
from tests.faults.alerts.faults import DATABASES_FAIL, PROCESSES_DIE, Fault, others
from tests.faults.alerts.rules import FACTOR
from tests.faults.alerts.scene import Scene
from tests.faults.alerts.watching import Watched, watch
from tests.faults.proxy import Proxy


def watch_all(
    lab: Lab, kafka: Proxy, folder: Path, tell: Callable[[Watched], None] = lambda _: None
) -> list[Watched]:
    """Watch all faults, in three deployments at once. *kafka* is the second way to the lab's Kafka."""
    through = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka.port}"}

    plan: tuple[tuple[str, tuple[Fault, ...], dict[str, str]], ...] = (
        ("processes", PROCESSES_DIE, {}),
        ("databases", DATABASES_FAIL, {}),
        ("others", others(kafka), through),
    )
    # One after the other, because migrations are not made for threads.
    scenes = [(Scene(lab, folder / name, **settings), faults) for name, faults, settings in plan]

    def run(scene: Scene, faults: tuple[Fault, ...]) -> list[Watched]:
        with scene.running():
            return watch(scene, faults, tell)

    with ThreadPoolExecutor(len(scenes)) as pool:
        runs = [pool.submit(run, *one) for one in scenes]
        return [watched for done in runs for watched in done.result()]


def table(watched: list[Watched]) -> list[str]:
    """The lines of a table in Markdown."""
    head = ["| fault | alerts, and after how many seconds they fired | all clear after |", "|---|---|---|"]
    return head + [line(one) for one in watched]


def line(one: Watched) -> str:
    """A fault as a line of the table."""
    fired = sorted(one.fired.items(), key=lambda pair: pair[1])
    alerts = ", ".join(f"`{alert}` {seconds:.0f}" for alert, seconds in fired) or "none"
    cleared = "–" if one.cleared is None or one.fault.lasting else f"{one.cleared:.0f} s"
    return f"| {one.fault.name} | {alerts} | {cleared} |"


def main() -> None:
    """Run it, and fail if other alerts fired than should."""
    ports = Ports.free()
    kafka = Proxy(Ports.free().connect)
    folder = Path(tempfile.mkdtemp(prefix="alerts-"))
    lab = Lab(folder / "lab", replace(ports, detour=(kafka.port, kafka.to)))
    print(f"A minute of the rules takes {60 / FACTOR} s here. The logs are in {folder}")
    with closing(kafka), lab:
        watched = watch_all(lab, kafka, folder, lambda one: print(line(one), flush=True))

    print("\n".join(table(watched)))
    if problems := [problem for one in watched for problem in one.problems]:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
