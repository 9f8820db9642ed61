"""The faults, and the alerts that must fire for each; no other may."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow
from rig import waiting
from tests.faults.alerts.scene import Scene
from tests.faults.proxy import Proxy

MISSING, BEHIND, UNANSWERED = "OrdersTargetMissing", "OrdersConsumerBehind", "OrdersUnanswered"
WAITING, FAILING, DOWN = "OrdersEventsWaiting", "OrdersStepFailing", "OrdersDatabaseDown"
ERRORS, SLOW, ASIDE, DEAD = (
    "OrdersServerErrors",
    "OrdersSlowRequests",
    "OrdersEventSetAside",
    "OrdersDeadLetter",
)
TOO_LARGE = 2_000_000  # Characters, about twice what a topic accepts.
LOCKED_SECONDS, PAUSE_SECONDS = 2.0, 0.3  # Shorter than MariaDB lets a statement wait for a lock.


@dataclass(frozen=True)
class Fault:
    """Something that breaks for as long as the context lasts. *lasting*: its alert clears much later."""

    name: str
    during: Callable[[Scene], AbstractContextManager[None]]
    alerts: frozenset[str]
    lasting: bool = False


def _fault(name: str, during: Callable[[Scene], AbstractContextManager[None]], *alerts: str) -> Fault:
    return Fault(name, during, frozenset(alerts))


@contextmanager
def nothing(_: Scene) -> Iterator[None]:
    """Customers order, and nothing breaks."""
    yield


def killed(name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Kill a process, and start another in its place at the end."""

    @contextmanager
    def during(scene: Scene) -> Iterator[None]:
        scene.deployment.kill(name)
        yield
        scene.start(name)

    return during


def databases(
    *names: str, how: Callable[[Proxy], AbstractContextManager[None]]
) -> Callable[..., AbstractContextManager[None]]:
    """Break the way to databases."""

    @contextmanager
    def during(scene: Scene) -> Iterator[None]:
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(how(scene.proxies[name]))
            yield

    return during


@contextmanager
def poison(scene: Scene) -> Iterator[None]:
    """A record that nobody can read becomes a dead letter, which is discarded at the end."""
    broker = KafkaBroker(scene.lab.kafka.bootstrap)
    producer = broker.producer()
    topic = scene.deployment.environment["CATALOG_TOPIC"]
    sent = producer.send([Outgoing(topic=topic, key=b"poison", value=b"not json", headers=())])
    assert producer.wait(sent, seconds=waiting.seconds(20))
    producer.close()
    yield
    scene.deployment.run("dead-letters", "discard", "--all")


@contextmanager
def too_large(scene: Scene) -> Iterator[None]:
    """An event that Kafka refuses is recorded. It stays set aside."""
    with Session(scene.databases.orders) as session:
        newest = session.scalars(select(OutboxRow).order_by(OutboxRow.seq.desc()).limit(1)).one()
        copied = {column.key: getattr(newest, column.key) for column in OutboxRow.__table__.columns}
        changed = {"id": str(uuid4()), "payload": "x" * TOO_LARGE, "lane": newest.topic, "published_at": None}
        del copied["seq"]
        session.execute(insert(OutboxRow).values(copied | changed))
        session.commit()
    yield


@contextmanager
def locked_again_and_again(scene: Scene) -> Iterator[None]:
    """Lock the orders against changes for most of the time. They can be read."""
    over = threading.Event()
    database = make_url(scene.databases.orders_url).database

    def lock() -> None:
        with scene.lab.mariadb.connect() as root, root.cursor() as cursor:
            while not over.wait(PAUSE_SECONDS):
                cursor.execute(f"LOCK TABLES {database}.orders READ")
                over.wait(LOCKED_SECONDS)
                cursor.execute("UNLOCK TABLES")

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


PROCESSES_DIE = (
    _fault("nothing", nothing),
    _fault("`orders-relay` is killed", killed("orders-relay"), MISSING, WAITING, UNANSWERED),
    _fault("`stock-consumer` is killed", killed("stock-consumer"), MISSING, BEHIND, UNANSWERED),
    _fault("`catalog-relay` is killed", killed("catalog-relay"), MISSING, WAITING, UNANSWERED),
    _fault("`status-consumer` is killed", killed("status-consumer"), MISSING, BEHIND, UNANSWERED),
    _fault("the only `api` is killed", killed("api"), MISSING),
)


DATABASES_FAIL = (
    _fault(
        "the catalog database is down",
        databases("catalog", how=Proxy.down),
        *(DOWN, UNANSWERED, FAILING, BEHIND),
    ),
    _fault("the orders database is down", databases("orders", how=Proxy.down), DOWN, ERRORS, FAILING),
    _fault(
        "MariaDB is frozen",
        databases("orders", "catalog", how=Proxy.stalled),
        *(DOWN, ERRORS, SLOW, FAILING),
    ),
)


def others(kafka: Proxy) -> tuple[Fault, ...]:
    """The other faults. *kafka* stands between the processes and Kafka."""

    @contextmanager
    def kafka_down(_: Scene) -> Iterator[None]:
        with kafka.down():
            yield

    return (
        _fault("a poison record", poison, DEAD),
        _fault("Kafka is down", kafka_down, WAITING, UNANSWERED, FAILING),
        _fault("a backup locks the table of the orders again and again", locked_again_and_again, SLOW),
        Fault("an event is too large for Kafka", too_large, frozenset({ASIDE}), lasting=True),
    )
