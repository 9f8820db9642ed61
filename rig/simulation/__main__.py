"""Makes histories: `python -m rig.simulation --seeds 10000`, or one with its story: `--seed 4711`."""

import argparse
import gc
import itertools
import math
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path

from rig.simulation.history import Simulation, Verdict
from rig.simulation.shrinking import shrink
from rig.simulation.world import KINDS, STEPS, Plan

SEEDS = Path(__file__).with_name("seeds.txt")  # Every seed that has ever found a fault.
CHUNK = 20
SHOW_SECONDS = 5.0
ENOUGH = 20  # After so many broken histories it ends.
SHOWN = 3  # So many broken histories are shrunk and shown.


def main() -> None:
    """Simulate, and end with 1 if a promise was broken."""
    options = _options()
    without = frozenset(filter(None, options.without.split(",")))
    if unknown := without - set(KINDS):
        sys.exit(f"--without does not know {', '.join(sorted(unknown))}. It knows {', '.join(KINDS)}")
    if options.seed is not None:
        sys.exit(not _tell_story(Plan(options.seed, options.steps, without)))
    known = [] if options.no_known else list(known_seeds())
    first = options.first if options.first is not None else random.SystemRandom().randrange(10**9)
    fresh: Iterable[int] = itertools.count(first)
    if not options.seconds:
        fresh = range(first, first + options.seeds)
    print(f"known seeds: {len(known)}; then seeds from {first} on", flush=True)
    plans = (Plan(seed, options.steps, without) for seed in itertools.chain(known, fresh))
    sys.exit(bool(_simulate(plans, options)))


def _tell_story(plan: Plan) -> bool:
    """Print what happens in a history, step by step. True if it keeps every promise."""
    simulation = Simulation(plan, print)
    print(f"seed {plan.seed}: {simulation}\n\nstep   seconds  who                what")
    verdict = simulation.run()
    if verdict.problems:
        print("\nBroken: " + "\n".join(verdict.problems))
    else:
        print(f"\nEvery promise is kept, after {verdict.steps} steps.")
    return not verdict.problems


def known_seeds() -> Iterator[int]:
    """The seeds in the file: the first word of each line that is not a comment."""
    for line in SEEDS.read_text().splitlines():
        if line and not line.startswith("#"):
            yield int(line.split()[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rig.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--seconds", type=float, help="go on for this long instead")
    parser.add_argument("--first", type=int, help="the first fresh seed; any, if it is not given")
    parser.add_argument("--no-known", action="store_true", help="leave out the seeds in seeds.txt")
    parser.add_argument("--seed", type=int, help="only this one, with its story")
    parser.add_argument("--steps", type=int, default=STEPS, help="how long faults go on (%(default)s)")
    parser.add_argument("--without", default="", help="kinds of events that do not happen, with commas")
    parser.add_argument("--until-broken", action="store_true", help="end with the first broken promise")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="at the same time (%(default)s)"
    )
    parser.add_argument("--no-shrinking", action="store_true", help="do not look for a shorter way to it")
    return parser.parse_args()


def _simulate(plans: Iterable[Plan], options: argparse.Namespace) -> list[Verdict]:
    """Simulate all, and show progress and what was broken. Returns the broken histories."""
    began = shown = time.monotonic()
    broken: list[Verdict] = []
    kinds: Counter[str] = Counter()
    histories = steps = 0
    with multiprocessing.Pool(options.processes, prepare) as pool:
        for verdicts in _results(pool, iter(plans), 2 * options.processes, options.seconds):
            histories, steps = histories + len(verdicts), steps + sum(v.steps for v in verdicts)
            kinds.update(kind for verdict in verdicts for kind in verdict.kinds)
            for verdict in verdicts:
                if verdict.problems:
                    broken.append(verdict)
                    print(f"\nseed {verdict.plan.seed}: {verdict.problems[0]}", flush=True)
            if time.monotonic() > shown + SHOW_SECONDS:
                shown = time.monotonic()
                print(_progress(histories, shown - began, broken), flush=True)
            if broken and (options.until_broken or len(broken) >= ENOUGH):
                break
    each = steps / max(1, histories)
    print(f"{_progress(histories, time.monotonic() - began, broken)}, {each:.0f} steps each")
    print("with " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS))
    for verdict in [] if options.no_shrinking else broken[:SHOWN]:
        print(_shrunk(verdict), flush=True)
    return broken


def _results(pool: Pool, plans: Iterator[Plan], ahead: int, seconds: float | None) -> Iterator[list[Verdict]]:
    """The verdicts on *plans*, chunk by chunk, for *seconds*. At most *ahead* chunks are in work."""
    until = time.monotonic() + seconds if seconds else math.inf
    in_work: deque[AsyncResult[list[Verdict]]] = deque()
    while True:
        while len(in_work) < ahead and time.monotonic() < until:
            chunk = list(itertools.islice(plans, CHUNK))
            if not chunk:
                break
            in_work.append(pool.apply_async(verdicts_of, [chunk]))
        if not in_work:
            return
        yield in_work.popleft().get()


def prepare() -> None:
    """Make a process ready for many histories: the garbage collector need not look at what stays."""
    judged(Plan(0))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def verdicts_of(plans: list[Plan]) -> list[Verdict]:
    """The verdict on each of the histories; an exception is a problem, too."""
    verdicts = [judged(plan) for plan in plans]
    gc.collect()
    return verdicts


def judged(plan: Plan) -> Verdict:
    """The verdict on a history."""
    try:
        return Simulation(plan).run()
    except Exception as error:
        return Verdict(plan, (f"{type(error).__name__}: {error}",), 0, tuple(sorted(KINDS)))


def _progress(histories: int, seconds: float, broken: list[Verdict]) -> str:
    rate = histories / seconds * 60
    return f"{histories:,} histories in {seconds:.0f} s, {rate:,.0f} a minute, {len(broken)} broken"


def _shrunk(verdict: Verdict) -> str:
    plan = shrink(verdict, judged)
    without = f" WITHOUT={','.join(sorted(plan.without))}" if plan.without else ""
    command = f"make simulate SEED={plan.seed} STEPS={plan.steps}{without}"
    return f"\nThe shortest way to it that was found:\n  {command}"


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # So that `| head` ends it quietly.
    main()
