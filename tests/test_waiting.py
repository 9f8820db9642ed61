"""Deadlines grow with the load."""

import pytest

from rig import waiting


def test_the_factor_is_set_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PATIENCE", "2.5")

    assert waiting.seconds(4) == 10


def test_by_itself_it_is_at_least_one_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_PATIENCE", raising=False)

    assert 1 <= waiting.factor() <= waiting.FACTOR_MAX


def test_a_busy_machine_moves_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PATIENCE", "0")
    deadline = waiting.Deadline(1000)
    over_at_once = deadline.over

    monkeypatch.setenv("TEST_PATIENCE", "1")

    assert over_at_once
    assert not deadline.over
