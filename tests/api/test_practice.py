"""The practice of `run`: each fault, on databases and a log of its own, with the workers on threads."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.api.app import create_app
from orders_service.api.practice.faults import BURST, FAULTS, LAST_PIECES, RELAY, RUSH
from orders_service.api.practice.practice import LASTS_SECONDS, Practice
from orders_service.api.practice.scene import Counts, Scene
from orders_service.broker_client import broker, topic_spec
from orders_service.catalog.balance import imbalances
from orders_service.commands.worker_threads import WorkerThreads
from orders_service.operations import actions
from orders_service.settings import Settings
from rig.databases import Databases
from rig.waiting import await_true, seconds
from tests.api.kit import Api, assert_problem, close_engines

PATH = "/admin/practice"
FAILED = "It failed. `orders-service doctor` says what is wrong."


class WithoutCounts(Scene):
    """A scene whose orders cannot be counted."""

    def statuses(self, order_ids: Collection[str]) -> Counts:
        raise OSError("the disk is full")


class Waiting(Scene):
    """A scene whose stock changes only when the test says *go*."""

    def __init__(self, *parts: Any, **engines: Any) -> None:
        super().__init__(*parts, **engines)
        self.go = threading.Event()

    def set_stock(self, pieces: int) -> None:
        assert self.go.wait(seconds(30))
        super().set_stock(pieces)


@contextmanager
def running(databases: Databases, **environment: str) -> Iterator[Api]:
    """The API with all workers on threads, as `run` has them."""
    settings = Settings.read(databases.environment | environment)
    broker(settings, create=True).create_topics(resources.topics(settings).names, topic_spec(settings))
    workers = WorkerThreads(settings)
    app = create_app(settings, workers=workers)
    workers.start()
    try:
        yield Api(app, databases)
    finally:
        workers.stop()
        close_engines(app)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real)])
def practising(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """The service with nothing but Python and, once more, on the real MariaDB and Kafka."""
    environment, unique = {"STATE_DIR": str(tmp_path)}, uuid4().hex[:8]
    if request.param == "kafka":
        lab = request.getfixturevalue("lab")
        databases = Databases.on(lab.mariadb, unique)
        names = ("CATALOG_TOPIC", "STOCK_TOPIC", "STOCK_GROUP", "STATUS_GROUP")
        environment |= {name: f"{name.lower()}-{unique}" for name in names}
        environment |= {"BROKER": "kafka", "KAFKA_BOOTSTRAP_SERVERS": lab.kafka.bootstrap}
    else:
        databases = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    databases.migrate()
    with running(databases, **environment) as api:
        yield api
    databases.dispose()


def scene_of(api: Api, kind: type[Scene] = Scene) -> Scene:
    """A scene of the running service."""
    running: Scene = api.app.extensions["practice"].scene
    engines = {"orders": api.engine(), "catalog": api.engine("catalog")}
    return kind(running.settings, api.app.extensions["committer"], running.workers, **engines)


def set_scene(api: Api, scene: Scene, *, lasts_seconds: float = LASTS_SECONDS) -> None:
    api.app.extensions["practice"] = Practice(scene, lasts_seconds=lasts_seconds)


def shown(api: Api, name: str) -> dict[str, Any]:
    faults = api.get(PATH).get_json()["faults"]
    found: dict[str, Any] = next(each for each in faults if each["name"] == name)
    return found


def press(api: Api, name: str) -> dict[str, Any]:
    response = api.client.post(f"{PATH}/{name}", json={})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def tried(api: Api, name: str) -> dict[str, Any]:
    """The fault after it was caused and has ended."""
    assert press(api, name) == {"done": "It has begun.", "started": True, "command": None}
    await_true(lambda: shown(api, name)["state"] != "running", "the fault has ended", seconds=60)
    return shown(api, name)


def adds_up(api: Api) -> bool:
    with Session(api.databases.catalog) as session:
        return imbalances(session, 1) == []


def test_every_fault_can_be_caused_at_first(practising: Api) -> None:
    faults = practising.get(PATH).get_json()["faults"]

    assert [each["name"] for each in faults] == ["stop-relay", "poison", "oversell", "burst", "two-consumers"]
    assert {(each["state"], each["why"], each["ended"]) for each in faults} == {("ready", None, None)}


def test_a_second_consumer_shares_the_work_or_is_refused_and_the_stock_adds_up(practising: Api) -> None:
    is_kafka = scene_of(practising).settings.broker == "kafka"

    begun = tried(practising, "two-consumers")

    assert ("Two consumers share the partitions" if is_kafka else "The second consumer was refused") in begun[
        "ended"
    ]
    assert "Of 20 orders, 20 were confirmed" in begun["ended"]
    assert "The stock adds up" in begun["ended"]
    assert begun["state"] == ("stopped" if is_kafka else "ready")
    if is_kafka:
        ended = tried(practising, "two-consumers")
        assert ended["ended"].startswith("The second consumer has ended")
        assert ended["state"] == "ready"
    assert adds_up(practising)


def test_while_the_relay_is_stopped_orders_wait_and_afterwards_none_is_lost(practising: Api) -> None:
    stopped = tried(practising, "stop-relay")
    assert (stopped["state"], stopped["button"]) == ("stopped", "Start the relay")
    assert stopped["counts"] == {"pending": 5}
    assert shown(practising, "burst")["why"] == "Start the relay first."

    started = tried(practising, "stop-relay")

    assert (started["state"], started["button"]) == ("ready", "Stop the relay")
    assert started["counts"] == {"confirmed": 5}
    assert "5 orders were accepted, and their events waited in the outbox." in started["ended"]
    assert adds_up(practising)


def test_a_poison_record_becomes_a_dead_letter_and_good_orders_pass_it(practising: Api) -> None:
    ended = tried(practising, "poison")

    assert "kept it as a dead letter (unreadable) and went on." in ended["ended"]
    assert "Of the 5 orders behind it in the same partition, 5 were confirmed, all within" in ended["ended"]
    assert (ended["counts"], ended["path"]) == ({"confirmed": 5}, "/ui/dead-letters")
    assert adds_up(practising)


def test_of_twenty_orders_for_five_pieces_five_are_confirmed_each_time(practising: Api) -> None:
    for _ in range(2):
        ended = tried(practising, "oversell")

        assert ended["counts"] == {"confirmed": LAST_PIECES, "rejected": RUSH - LAST_PIECES}
        assert "The stock adds up: 0 in stock" in ended["ended"]
    assert adds_up(practising)


def test_a_burst_is_confirmed_whole(practising: Api) -> None:
    ended = tried(practising, "burst")

    assert ended["counts"] == {"confirmed": BURST}
    assert ended["ended"].startswith(f"{BURST} orders were accepted within ")
    assert adds_up(practising)


def test_a_fault_that_lasts_ends_by_itself(practising: Api) -> None:
    set_scene(practising, scene_of(practising), lasts_seconds=0.1)

    press(practising, "stop-relay")

    await_true(lambda: shown(practising, "stop-relay")["counts"] == {"confirmed": 5}, "the relay runs again")
    assert shown(practising, "stop-relay")["state"] == "ready"


def test_a_fault_that_was_undone_leaves_no_timer(practising: Api) -> None:
    def timers() -> int:
        return sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())

    before = timers()
    tried(practising, "stop-relay")
    while_stopped = timers()

    tried(practising, "stop-relay")

    assert while_stopped == before + 1
    await_true(lambda: timers() == before, "the timer has ended")


def test_a_relay_that_was_stopped_for_nothing_runs_again(practising: Api) -> None:
    set_scene(practising, scene_of(practising, WithoutCounts))

    failed = tried(practising, "stop-relay")

    assert (failed["state"], failed["ended"]) == ("ready", FAILED)
    set_scene(practising, scene_of(practising))
    assert "pending" not in tried(practising, "oversell")["counts"]


def test_a_relay_starts_again_even_if_it_has_not_yet_ended(practising: Api) -> None:
    workers = practising.app.extensions["practice"].scene.workers

    workers.stop_one(RELAY, seconds=0)
    workers.start_one(RELAY)

    assert "pending" not in tried(practising, "oversell")["counts"]


def test_one_fault_runs_at_a_time(practising: Api) -> None:
    scene = scene_of(practising, Waiting)
    assert isinstance(scene, Waiting)
    set_scene(practising, scene)
    press(practising, "oversell")

    refused = press(practising, "burst")

    assert refused["done"] == "Nothing was done. Oversell runs. One fault runs at a time."
    assert (refused["started"], shown(practising, "burst")["why"]) == (
        False,
        "Oversell runs. One fault runs at a time.",
    )
    scene.go.set()
    await_true(lambda: shown(practising, "oversell")["state"] == "ready", "it has ended")


def test_a_fault_that_fails_says_so(practising: Api) -> None:
    set_scene(practising, scene_of(practising, WithoutCounts))

    ended = tried(practising, "oversell")

    assert (ended["state"], ended["ended"]) == ("ready", FAILED)


def test_a_request_with_a_key_is_done_once_and_recorded(practising: Api) -> None:
    key = {"Idempotency-Key": "burst-1"}
    first = practising.client.post(f"{PATH}/burst", json={}, headers=key)
    await_true(lambda: shown(practising, "burst")["state"] == "ready", "the burst has ended")
    before = len(practising.orders())

    again = practising.client.post(f"{PATH}/burst", json={}, headers=key)
    other = practising.client.post(f"{PATH}/oversell", json={}, headers=key)

    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    assert_problem(other, 422, "idempotency-key-reused")
    assert len(practising.orders()) == before
    with practising.session() as session:
        (action,) = actions.newest(session)
    assert (action.done_by, action.action, action.target) == ("the page", "practice", "burst")


def test_what_is_no_fault_is_refused(practising: Api) -> None:
    assert_problem(practising.client.post(f"{PATH}/nothing", json={}), 404, "not-found")
    body = practising.client.post(f"{PATH}/burst", json={"orders": 9}), 422, "invalid-fields"
    assert_problem(*body, fields=("orders",))
    text = practising.client.post(f"{PATH}/burst", data="{}", content_type="text/plain")
    assert_problem(text, 415, "unsupported-media-type")
    other = practising.client.get(PATH, headers={"Host": "shop.example"})
    assert_problem(other, 403, "host-not-allowed")


def test_an_api_without_workers_has_no_practice(own_api: Api) -> None:
    assert_problem(own_api.get(PATH), 404, "not-found")
    for fault in FAULTS:
        assert_problem(own_api.client.post(f"{PATH}/{fault.name}", json={}), 404, "not-found")
