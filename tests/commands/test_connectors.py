"""Kafka Connect beside the service: connectors from files, the `orders` table, the outbox by CDC."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from lab import Lab
from orders_service.commands.connectors import command
from orders_service.commands.connectors.rest import FOLDER, PLACEHOLDER, Connect
from orders_service.commands.doctor.connector import check_connector
from orders_service.commands.doctor.finding import Level
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing, Record, TopicSpec
from orders_service.workers import orders_relay
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true
from tests.flow_kit import BERLIN, STOCKHOLM, TOKYO, Flow

pytestmark = [pytest.mark.long, pytest.mark.real]

SINK = "my-order-sink-connect"


class Practice:
    """The lab with the practice's tables, and someone who types `orders-service connectors …`."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab = lab
        self.broker = KafkaBroker(lab.kafka.bootstrap)
        self.connect = Connect(lab.connect.url)
        for name, value in lab.environment().items():
            monkeypatch.setenv(name, value)
        self.sql(*Path("config/mydb.sql").read_text().split(";")[:-1])

    def apply(self, *names: str, folder: Path = FOLDER) -> Result:
        return CliRunner().invoke(command.main, ["apply", "--folder", str(folder), *names])

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        with self.lab.mariadb.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
            return list(cursor.fetchall())

    def send(self, topic: str, key: str, value: bytes) -> None:
        producer = self.broker.producer()
        deliveries = producer.send([Outgoing(topic, key.encode(), value)])
        assert producer.wait(deliveries, seconds=waiting.seconds(10))
        producer.close()
        assert deliveries[0].acknowledged, deliveries[0].error

    def records(self, topic: str) -> list[Record]:
        reader = self.broker.read([topic], from_start=True)
        found: list[Record] = []
        while more := reader.poll(seconds=1):
            found += more
        reader.close()
        return found


@pytest.fixture
def practice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    found = Practice(lab, monkeypatch)
    yield found
    for name in found.connect.names():
        found.connect.delete(name)


def written(folder: Path, name: str, like: str = SINK, **changes: str) -> str:
    """A connector's file like another, changed."""
    config = json.loads((FOLDER / f"{like}.json").read_text())
    config |= {key.replace("__", "."): value for key, value in changes.items()}
    (folder / f"{name}.json").write_text(json.dumps(config))
    return name


@pytest.mark.parametrize(
    ("like", "changes", "said"),
    [
        (SINK, {"connection__password": "wrong"}, "Access denied for user 'sink'"),
        ("my-source-connect", {"database__password": "wrong"}, "Access denied for user 'dbz'"),
        (SINK, {"connector__class": "io.example.Missing"}, "has no plugin 'io.example.Missing'"),
        (SINK, {"insert__mode": "sideways"}, "wrong"),
        (
            SINK,
            {"connection__password": "${NOT_SET_ANYWHERE}"},
            "needs these environment variables: NOT_SET_ANYWHERE",
        ),
    ],
    ids=["sink password", "source password", "plugin", "setting", "placeholder"],
)
def test_what_is_wrong_with_a_connector_is_one_line_and_nothing_is_half_applied(
    practice: Practice, tmp_path: Path, like: str, changes: dict[str, str], said: str
) -> None:
    good, wrong = written(tmp_path, "good"), written(tmp_path, "wrong", like, **changes)

    result = practice.apply(good, wrong, folder=tmp_path)

    assert result.exit_code == 1
    assert said in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error")]) == 1
    assert practice.connect.names() == []


def test_without_connect_one_line_says_so(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_URL", "http://127.0.0.1:1")

    result = CliRunner().invoke(command.main, ["list"])

    assert result.exit_code == 1
    assert "Kafka Connect does not answer at http://127.0.0.1:1" in result.output


def test_connectors_are_applied_twice_shown_restarted_and_deleted(practice: Practice) -> None:
    assert practice.apply(SINK).output == practice.apply(SINK).output == f"{SINK}: RUNNING\n"

    said = {
        word: CliRunner().invoke(command.main, [word, *([] if word == "list" else [SINK])]).output
        for word in ("list", "status", "restart", "delete")
    }

    assert said["list"] == f"{SINK}\n"
    assert said["status"] == f"{SINK}  connector  RUNNING\n{SINK}  task 0  RUNNING\n"
    assert said["restart"] == f"{SINK}: RUNNING\n"
    assert practice.connect.names() == []


def test_a_connector_that_failed_is_mended_by_applying_it_again(practice: Practice, tmp_path: Path) -> None:
    wrong = json.loads((FOLDER / f"{SINK}.json").read_text()) | {"insert.mode": "sideways"}
    environment = practice.lab.environment()
    practice.connect.put(SINK, {k: PLACEHOLDER.sub(lambda m: environment[m[1]], v) for k, v in wrong.items()})

    def failed() -> bool:
        return "FAILED" in {state for _, state, _ in practice.connect._states_if_known(SINK)}

    await_true(failed, "the task has FAILED")

    result = practice.apply(SINK)

    assert result.output == f"{SINK}: RUNNING\n"


def test_orders_land_in_mydb_once_and_a_record_that_is_none_stops_nobody(
    practice: Practice, lab: Lab, tmp_path: Path
) -> None:
    databases = Databases.on(lab.mariadb, "sink")
    databases.migrate()
    practice.broker.create_topics(["orders"], TopicSpec(partitions=3))
    flow = Flow(databases, tmp_path, ORDERS_SINK_TOPIC="orders", **kafka(practice, "sink"))
    practice.apply(SINK)
    placed = {flow.place(BERLIN, 1 + n % 3) for n in range(30)}

    practice.send("orders", "x", b"not a record of ours")
    flow.orders_relay.step()
    flow.sql("orders", "UPDATE outbox SET lane = topic WHERE topic = 'orders'")
    flow.orders_relay.step()
    flow.place(TOKYO)
    flow.orders_relay.step()

    await_true(lambda: len(landed(practice)) == 31, "31 rows have landed")
    assert placed <= set(landed(practice))
    assert landed(practice) == {order["orderId"]: row(order) for order in orders_of(flow)}
    assert [state for _, state, _ in practice.connect.states(SINK)] == ["RUNNING", "RUNNING"]
    assert [record.value for record in practice.records("orders.dlq")] == [b"not a record of ours"]
    flow.close()
    databases.dispose()


def test_a_record_that_mariadb_refuses_is_passed_over_as_the_docs_say(practice: Practice, lab: Lab) -> None:
    """The dead letter topic does not cover it. The cure is in docs/course.md, section 11."""
    practice.broker.create_topics(["orders"], TopicSpec(partitions=3))
    practice.apply(SINK)
    user = f"learner {time.time_ns()}"
    practice.send("orders", "same", sunk(user, "P" * 121))
    practice.send("orders", "same", sunk(user, BERLIN))

    def failed() -> bool:
        return "FAILED" in {state for _, state, _ in practice.connect.states(SINK)}

    await_true(failed, "the task has FAILED")
    (wrong,) = (one for one in practice.records("orders") if f'"{user} P'.encode() in (one.value or b""))
    place = {"kafka_topic": wrong.topic, "kafka_partition": wrong.partition}
    with httpx.Client(base_url=f"{lab.connect.url}/connectors/{SINK}") as http:
        assert http.put("/stop").is_success
        await_true(lambda: http.get("/status").json()["tasks"] == [], "the sink has stopped")
        moved = {"partition": place, "offset": {"kafka_offset": wrong.offset + 1}}
        assert http.patch("/offsets", json={"offsets": [moved]}).is_success
        assert http.put("/resume").is_success

    of_user = f"SELECT product_id FROM mydb.orders WHERE user_id = '{user}'"
    await_true(lambda: practice.sql(of_user) == [(BERLIN,)], "the good record behind it has landed")
    await_true(lambda: not failed(), "the task runs")


def sunk(user: str, product: str) -> bytes:
    """A record for the sink, as the course's order-service writes it."""
    texts = {"order_id": f"{user} {product}", "user_id": user, "product_id": product}
    numbers = dict.fromkeys(("qty", "unit_price", "total_price"), 1)
    kinds = [("string", name) for name in texts] + [("int32", name) for name in numbers]
    fields = [{"type": kind, "optional": True, "field": name} for kind, name in kinds]
    schema = {"type": "struct", "fields": fields, "optional": False, "name": "orders"}
    return json.dumps({"schema": schema, "payload": texts | numbers}).encode()


def test_rows_travel_from_table_to_topic_to_table_changes_and_deletions_too(practice: Practice) -> None:
    practice.apply("my-source-connect")
    practice.sql("INSERT INTO mydb.users (user_id, name) VALUES ('kim', 'Kim')")
    await_true(lambda: "my_topic_users" in topics(practice), "the topic has come with the first row")
    practice.apply("my-sink-connect")
    await_true(lambda: copied(practice) == [("kim", "Kim")], "the row is in both tables")

    sent = time.perf_counter()
    practice.sql("INSERT INTO mydb.users (user_id, name) VALUES ('lee', 'Lee')")
    await_true(lambda: len(copied(practice)) == 2, "a second row is in both tables")
    took = time.perf_counter() - sent
    practice.sql("UPDATE mydb.users SET name = 'Lee Min' WHERE user_id = 'lee'")
    practice.sql("DELETE FROM mydb.users WHERE user_id = 'kim'")

    await_true(lambda: copied(practice) == [("lee", "Lee Min")], "the change and the deletion have arrived")
    assert took < waiting.seconds(5)


def test_the_outbox_by_cdc_carries_what_the_relay_carries(
    practice: Practice, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relayed = Databases.on(lab.mariadb, "parity")
    captured = Databases(lab.environment()["ORDERS_DATABASE_URL"], lab.environment()["CATALOG_DATABASE_URL"])
    seen = {}
    for name, databases, via in (("relay", relayed, "relay"), ("cdc", captured, "cdc")):
        databases.migrate()
        settings = kafka(practice, name) | {"EVENTS_VIA": via, "ORDERS_SINK_TOPIC": f"sink-{name}"}
        flow = Flow(databases, tmp_path, **settings)
        if via == "cdc":
            monkeypatch.setenv("EVENTS_VIA", "cdc")
            assert practice.apply("outbox-source").exit_code == 0
            await_captured(practice, flow)
        workload(flow)
        if via == "relay":
            while flow.orders_relay.step():
                pass
        else:
            assert {row.lane for row in flow.outbox()} == {None}
        wanted = sum(row.type != "probe.v1" for row in flow.outbox())
        read = [flow.settings.catalog_topic, flow.settings.orders_sink_topic]
        await_true(lambda read=read, wanted=wanted: count(practice, read) == wanted, f"{wanted} by {via}")  # type: ignore[misc]
        seen[via] = [sorted(map(told, practice.records(topic))) for topic in read]
        flow.close()
        databases.dispose()

    assert seen["relay"] == seen["cdc"]
    assert seen["relay"][0]


def test_without_cdc_the_outbox_is_not_captured(practice: Practice) -> None:
    result = practice.apply("outbox-source")

    assert result.exit_code == 1
    assert "EVENTS_VIA is not cdc" in result.output
    assert practice.connect.names() == []


def test_the_doctor_tells_whether_the_outbox_is_carried(
    practice: Practice, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    databases = Databases(lab.environment()["ORDERS_DATABASE_URL"], lab.environment()["CATALOG_DATABASE_URL"])
    databases.migrate()
    databases.dispose()

    missing = check_connector(lab.connect.url)
    assert practice.apply("outbox-source").exit_code == 0
    running = check_connector(lab.connect.url)
    httpx.put(f"{lab.connect.url}/connectors/outbox-source/pause").raise_for_status()
    await_true(lambda: check_connector(lab.connect.url).level == Level.WRONG, "it is paused")
    paused = check_connector(lab.connect.url)

    assert (missing.level, missing.do) == (Level.WRONG, "orders-service connectors apply outbox-source")
    assert (running.level, running.seen) == (Level.FINE, "RUNNING")
    assert "connector PAUSED" in paused.seen
    assert paused.do.endswith("/connectors/outbox-source/resume")


def test_with_cdc_the_relay_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_VIA", "cdc")

    result = CliRunner().invoke(orders_relay.main)

    assert "EVENTS_VIA is cdc" in str(result.exception)


def kafka(practice: Practice, name: str) -> dict[str, str]:
    """Settings of a flow on the lab's Kafka, with topics and groups of its own."""
    return {
        "BROKER": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": practice.lab.kafka.bootstrap,
        "CATALOG_TOPIC": f"catalog-{name}",
        "STOCK_TOPIC": f"stock-{name}",
        "STOCK_GROUP": f"stock-{name}",
        "STATUS_GROUP": f"status-{name}",
    }


def await_captured(practice: Practice, flow: Flow) -> None:
    """Wait until the connector reads the outbox: RUNNING, it may still be on its way there."""
    practice.broker.create_topics(["probe"], TopicSpec(partitions=1))
    columns = (
        "id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`, payload, created_at"
    )
    values = "'p', '1.0', '/', 'probe.v1', 'o', 'o', '', 'probe', 'p', '', UTC_TIMESTAMP()"

    def captured() -> bool:
        flow.sql("orders", f"INSERT INTO outbox ({columns}) VALUES ({values})")
        return bool(practice.records("probe"))

    await_true(captured, "the connector reads the outbox")


def workload(flow: Flow) -> None:
    """The same orders each time: their ids come from their keys."""
    for n in range(40):
        order_id = flow.place((BERLIN, TOKYO, STOCKHOLM, "제품 🙂")[n % 4], 1 + n, key=f"key-{n}")
        if n % 5 == 0:
            flow.cancel(order_id)


def told(record: Record) -> tuple[Any, ...]:
    """All that a consumer can tell of a record, but for the time; a header without value is none."""
    headers = sorted((name, value) for name, value in record.headers if value and name != "ce_time")
    return record.partition, record.key, record.value, headers


def count(practice: Practice, names: list[str]) -> int:
    return sum(len(practice.records(name)) for name in names)


def topics(practice: Practice) -> set[str]:
    return {topic.name for topic in practice.broker.describe_topics()}


def copied(practice: Practice) -> list[tuple[Any, ...]]:
    if not practice.sql("SHOW TABLES FROM mydb LIKE 'my_topic_users'"):
        return []
    return practice.sql("SELECT user_id, name FROM mydb.my_topic_users ORDER BY id")


def landed(practice: Practice) -> dict[str, tuple[Any, ...]]:
    columns = "order_id, user_id, product_id, qty, unit_price, total_price"
    return {row[0]: row for row in practice.sql(f"SELECT {columns} FROM mydb.orders")}


def orders_of(flow: Flow) -> list[dict[str, Any]]:
    return list(flow.api.get("/order-service/kim/orders").get_json())


def row(order: dict[str, Any]) -> tuple[Any, ...]:
    return (
        order["orderId"],
        "kim",
        order["productId"],
        order["qty"],
        order["unitPrice"],
        order["totalPrice"],
    )
