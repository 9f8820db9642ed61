"""Histories: a seed always makes the same one, and a broken promise is found, shrunk and repeated."""

import os
import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from orders_service import crash_points, runtime
from orders_service.database.transactions import execute_and_count
from orders_service.orders import service
from orders_service.orders.order import Order, Status
from rig.simulation import __main__ as command
from rig.simulation.__main__ import judged, known_seeds
from rig.simulation.history import Simulation
from rig.simulation.world import KINDS, Plan

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
FRESH = range(50)
STEPS_MIN = 60
BREAKS = 200  # So many seeds may pass before one of them shows a fault.


def story(plan: Plan) -> list[str]:
    """Every line of the history's story."""
    lines: list[str] = []
    Simulation(plan, lines.append).run()
    return lines


def printed(seed: int, hash_seed: str) -> str:
    """The story that another process prints."""
    done = subprocess.run(
        [sys.executable, "-m", "rig.simulation", "--seed", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_seed_makes_the_same_story_in_every_process() -> None:
    seed = next(seed for seed in FRESH if len(Simulation(Plan(seed)).world.kinds) > len(KINDS) / 2)

    first, second = printed(seed, "1"), printed(seed, "2")

    assert first == second
    assert "".join(f"{line}\n" for line in story(Plan(seed))) in first


def test_a_history_leaves_nothing_behind() -> None:
    before = runtime.monotonic, runtime.sleep, runtime.uniform, runtime.uuid4, crash_points.at
    simulation = Simulation(Plan(3))

    simulation.run()

    assert (runtime.monotonic, runtime.sleep, runtime.uniform, runtime.uuid4, crash_points.at) == before
    assert simulation.world.scheduler.tasks == []


def test_seeds_make_different_stories() -> None:
    assert story(Plan(1)) != story(Plan(2))


@pytest.mark.parametrize("kind", ["crash", "poison"])
def test_a_kind_that_is_left_out_does_not_happen(kind: str) -> None:
    seed = next(seed for seed in FRESH if Simulation(Plan(seed)).world.has(kind))
    plan = Plan(seed)

    without = judged(replace(plan, without=frozenset({kind})))

    assert set(without.kinds) == set(judged(plan).kinds) - {kind}


def test_histories_keep_every_promise_and_are_long_enough() -> None:
    verdicts = [judged(Plan(seed)) for seed in FRESH]

    assert {verdict.plan.seed: verdict.problems for verdict in verdicts if verdict.problems} == {}
    assert min(verdict.steps for verdict in verdicts) >= STEPS_MIN
    assert {kind for verdict in verdicts for kind in verdict.kinds} == set(KINDS)


def test_every_known_seed_keeps_every_promise() -> None:
    verdicts = [judged(Plan(seed)) for seed in known_seeds()]

    assert {verdict.plan.seed: verdict.problems for verdict in verdicts if verdict.problems} == {}


def test_in_a_calm_history_nothing_fails() -> None:
    simulations = [simulation for seed in range(40) if (simulation := Simulation(Plan(seed))).world.is_calm]

    assert simulations
    for calm in simulations:
        again = Simulation(calm.world.plan)
        assert again.run().problems == ()
        assert again.world.seen["failed"] == 0


def move_any(
    session: Session,
    order_ids: Collection[str],
    status: Status,
    *,
    now: Any,
    reason: str | None = None,
    **_: Any,
) -> int:
    """`service.move` without its condition: it also moves orders whose status does not allow it."""
    values = {"status": status, "reason": reason, "version": Order.version + 1, "updated_at": now}
    return execute_and_count(session, update(Order).where(Order.order_id.in_(order_ids)).values(values))


def test_a_broken_promise_is_found_shrunk_and_repeated_by_the_printed_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service, "move", move_any)
    verdict = next(verdict for seed in range(BREAKS) if (verdict := judged(Plan(seed))).problems)
    named = verdict.problems[0].partition(":")[0]

    shrunk = command._shrunk(verdict)
    wanted = re.search(r"make simulate SEED=(\d+) STEPS=(\d+)(?: WITHOUT=(\S+))?$", shrunk)
    assert wanted
    seed, steps, without = wanted.groups(default="")
    monkeypatch.setattr(sys, "argv", ["simulate", "--seed", seed, "--steps", steps, "--without", without])
    with pytest.raises(SystemExit) as ended:
        command.main()

    assert ended.value.code == 1
    assert f"Broken: {named}" in capsys.readouterr().out
    assert int(steps) < verdict.plan.steps
