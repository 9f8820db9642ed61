"""What the reader of the road does when it fails, and how its connections are closed."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from orders_service.api.admin import road_reader
from orders_service.api.admin.road_reader import RoadReader
from orders_service.operations.road.look import Look
from rig.waiting import await_true
from tests.api.kit import assert_problem
from tests.flow_kit import Flow


class Held:
    """A source that answers when it is let go."""

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()
        self.closed_by: list[threading.Thread] = []

    def read(self) -> str:
        self.asked.set()
        self.let_go.wait()
        return "found"

    def close(self) -> None:
        self.closed_by.append(threading.current_thread())


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_reader_that_fails_tells_it_once_pauses_and_tries_again(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road_reader, "EVERY_SECONDS", 0.05)
    database, away = tmp_path / "orders.db", tmp_path / "away"
    database.rename(away)

    with capture_logs() as lines:
        answers = [flow.api.get(path) for path in ("/admin/road", "/admin/live", "/admin/road")]

    for answer in answers:
        assert_problem(answer, 503, "overloaded")
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "cannot read the road; trying again"
    ]
    away.rename(database)
    await_true(lambda: flow.api.get("/admin/road").status_code == 200, "the road is read again")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_reader_that_fails_makes_no_attempt_before_its_pause(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road_reader, "EVERY_SECONDS", 3600)
    reader = RoadReader(flow.settings, viewers=1)
    database, away = tmp_path / "orders.db", tmp_path / "away"
    database.rename(away)

    assert reader.after(0, 60) is None
    assert reader.is_failing
    assert reader.is_at_work
    reader.stop()
    await_true(lambda: not reader.is_at_work, "its pause ends when it is told to stop")
    away.rename(database)


def test_a_look_that_hangs_is_closed_at_its_end_by_its_own_thread() -> None:
    source = Held()
    look = Look("held", source)
    thread = threading.Thread(target=look.read)
    thread.start()
    source.asked.wait()

    look.close()
    closed_before = list(source.closed_by)
    source.let_go.set()
    thread.join()

    assert closed_before == []
    assert source.closed_by == [thread]
    look.close()
    assert look.read().found is None
    assert len(source.closed_by) == 1
