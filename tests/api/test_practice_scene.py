"""What the practice asks the databases: bounded in rows and in questions, whatever else is going on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from orders_service import runtime
from orders_service.api.practice.scene import Counts, Scene
from orders_service.api.practice.waiting import WAIT_SECONDS, wait_until_answered
from orders_service.commands.worker_threads import WorkerThreads
from orders_service.database.columns import utc_now
from orders_service.orders.order import Status
from rig.databases import Databases
from tests.api.kit import Api, close_engines


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """The API without workers: every order stays PENDING."""
    databases = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    databases.migrate()
    own = Api.on(databases)
    yield own
    close_engines(own.app)
    databases.dispose()


@pytest.fixture
def scene(api: Api) -> Scene:
    settings = api.app.config["SETTINGS"]
    engines = {"orders": api.engine(), "catalog": api.engine("catalog")}
    return Scene(settings, api.app.extensions["committer"], WorkerThreads(settings), **engines)


def test_orders_of_customers_that_come_later_are_not_waited_for(api: Api, scene: Scene) -> None:
    row = scene.last_row()
    scene.place(2)
    last = scene.last_row()

    api.place()

    assert scene.statuses_between(row, last) == {Status.PENDING: 2}


def test_at_most_ten_thousand_orders_are_counted(scene: Scene) -> None:
    scene.place(2)

    assert scene.statuses_between(-9_999, 2**40) == {Status.PENDING: 1}


def test_a_dead_letter_is_found_by_an_index_without_the_values_of_others(api: Api, scene: Scene) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(
        api.engine("catalog"),
        "before_cursor_execute",
        lambda _, __, statement, parameters, *___: asked.append((statement, parameters)),
    )

    scene.dead_letter(b"poison", since=utc_now())

    statement, parameters = asked[-1]
    with api.databases.catalog.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert [row.detail for row in plan] == [
        "SEARCH dead_letters USING INDEX ix_dead_letters_resolution_held_at_created_at"
        " (resolution=? AND held_at=? AND created_at>?)"
    ]
    assert "value" not in statement.partition("FROM")[0]


def test_an_answer_that_does_not_come_is_looked_for_about_a_hundred_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, looks = [0.0], []
    monkeypatch.setattr(runtime, "monotonic", lambda: now[0])
    monkeypatch.setattr(runtime, "sleep", lambda seconds: now.append(now.pop() + seconds))

    def statuses() -> Counts:
        looks.append(now[0])
        return Counts({Status.PENDING: 7})

    assert wait_until_answered(statuses) == ({Status.PENDING: 7}, 7)
    assert 50 < len(looks) < 120
    assert WAIT_SECONDS <= looks[-1] < WAIT_SECONDS + 1
