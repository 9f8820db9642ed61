"""`doctor` tells what is wrong with real databases and a real broker, and nothing when nothing is."""

import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import kafka
import pytest
from click.testing import CliRunner
from kafka.admin import ConfigResource
from sqlalchemy import text
from sqlalchemy.engine import make_url

from lab import Lab, Ports
from orders_service.commands.doctor import topics
from orders_service.commands.doctor.command import main
from orders_service.commands.doctor.databases import DatabaseChecks
from orders_service.commands.doctor.finding import Check, Finding, Level, fine, made
from orders_service.database.columns import utc_now
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import OpenTransaction, Outgoing, TopicSpec
from rig import waiting
from rig.databases import Databases
from rig.deployment import deployed
from tests.flow_kit import BERLIN, Flow

SECONDS = 30.0
STUCK = timedelta(minutes=5)
Told = dict[str, dict[str, str]]

pytestmark = pytest.mark.usefixtures("own_port")


@pytest.fixture
def own_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port on which nobody's API runs."""
    port = Ports.free().connect
    monkeypatch.setenv("API_PORT", str(port))
    return port


@pytest.fixture
def place(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Databases, real or embedded, and an embedded log, where the doctor looks."""
    shown = flow.databases.environment | {
        "STATE_DIR": flow.settings.state_dir,
        "TOPIC_PARTITIONS": str(flow.settings.topic_partitions),
    }
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    return flow


def doctor(code: int) -> Told:
    """What it tells, by check."""
    result = CliRunner().invoke(main, ["--json"], catch_exceptions=False)
    told = {line["check"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == code, told
    return told


def wrong(told: Told) -> list[str]:
    """What is not as it should be."""
    return [name for name, line in told.items() if line["level"] != "fine"]


def assert_only(told: Told, name: str, level: str, seen: str, do: str) -> None:
    """One thing is wrong, told with what to do."""
    assert wrong(told) == [name]
    assert told[name]["level"] == level
    assert re.search(seen, told[name]["seen"]), told[name]["seen"]
    assert do in told[name]["do"]


@contextmanager
def as_root(lab: Lab, change: str, back: str) -> Iterator[None]:
    """Something on the real server that only root may do, undone in the end."""
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(back)


def test_nothing_is_wrong_where_nothing_is(place: Flow) -> None:
    place.place(qty=3)
    place.run()

    told = doctor(0)

    assert wrong(told) == []
    assert {"settings", "port", "broker", "topics", "group catalog-stock"} < told.keys()


def test_what_is_on_its_way_is_not_wrong(place: Flow) -> None:
    place.place()

    told = doctor(0)

    assert wrong(told) == []
    assert re.search(r"waits for \d s$", told["orders outbox"]["seen"])
    assert re.search(r"waits for \d s$", told["oldest PENDING order"]["seen"])


def test_it_changes_nothing_and_waits_for_no_order(place: Flow) -> None:
    place.place()
    before = place.records()

    with place.databases.orders.begin() as connection:
        connection.execute(text("UPDATE orders SET version = version"))
        began = time.monotonic()
        # SQLite knows no rows, and has one writer at a time: whether one may write cannot be told meanwhile.
        is_sqlite = connection.dialect.name == "sqlite"
        told = doctor(5 if is_sqlite else 0)
        took = time.monotonic() - began

    assert took < waiting.seconds(15)
    assert wrong(told) == (["orders rights"] if is_sqlite else [])
    assert place.records() == before
    place.run()
    assert place.stock() == 99


def test_people_are_told_in_lines(place: Flow) -> None:
    place.sql("catalog", "UPDATE catalog SET stock = stock + 1")

    said = CliRunner().invoke(main, catch_exceptions=False).output.splitlines()

    assert said[0].startswith("✔ settings ")
    (line,) = [number for number, text in enumerate(said) if text.startswith("✘ ")]
    assert "CATALOG-001: 101 + 0 ≠ 100" in said[line]
    assert said[line + 1].lstrip().startswith("→ a delivery belongs in supplies")


def test_a_stock_that_does_not_add_up_is_wrong(place: Flow) -> None:
    place.place(qty=3)
    place.run()
    place.sql("catalog", f"UPDATE catalog SET stock = stock - 1 WHERE product_id = '{BERLIN}'")

    assert_only(
        doctor(1), "stock + Σ reserved = Σ supplied", "wrong", "^CATALOG-001: 96 . 3 ≠ 100$", "supplies"
    )


def test_an_order_without_an_answer_is_wrong(place: Flow) -> None:
    order = place.place()
    place.run()
    place.sql(
        "orders",
        f"UPDATE orders SET status = 'PENDING', created_at = '{_from_now(-STUCK)}'",
    )

    told = doctor(1)

    assert_only(told, "oldest PENDING order", "wrong", f"^{order} waits for 30. s$", "outbox resend")


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_an_outbox_that_nobody_relays_is_wrong(place: Flow, name: str) -> None:
    _record_long_ago(place, name)

    told = doctor(1)

    assert_only(told, f"{name} outbox", "wrong", "waits for 30. s, and nobody holds", f"{name}-relay")


def test_a_relay_that_holds_a_lane_and_relays_nothing_is_named(place: Flow) -> None:
    _record_long_ago(place, "orders")
    place.sql(
        "orders",
        f"INSERT INTO leases VALUES ('example-catalog-topic', 'host:7:ab', '{_from_now(STUCK)}')",
    )

    assert_only(doctor(1), "orders outbox", "wrong", "host:7:ab holds this lane", "log")


def test_what_waits_for_a_relay_beside_debezium_is_wrong(
    place: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record_long_ago(place, "orders")
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    monkeypatch.setenv("CONNECT_URL", f"http://127.0.0.1:{Ports.free().connect}")

    told = doctor(5)

    assert told["orders outbox"]["seen"].endswith("and EVENTS_VIA is cdc")
    assert told["outbox-source"]["seen"].startswith("Kafka Connect does not answer at http://127.0.0.1:")


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_an_event_that_was_set_aside_is_wrong(place: Flow, name: str) -> None:
    place.place()
    place.run()
    place.sql(name, "UPDATE outbox SET error = 'too large'")

    told = doctor(1)

    assert_only(told, f"{name} set aside", "wrong", "refused 1 for good", f"--database {name} --set-aside")


def test_a_dead_letter_is_wrong_until_it_is_resolved(place: Flow) -> None:
    place.send([Outgoing("example-catalog-topic", b"k", b"nonsense")])
    place.run()

    told = doctor(1)
    place.sql("catalog", "UPDATE dead_letters SET resolution = 'discarded'")

    assert_only(told, "catalog dead letters", "wrong", "^1 wait", "dead-letters list")
    assert wrong(doctor(0)) == []


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_a_database_that_was_never_migrated_is_wrong(place: Flow, name: str) -> None:
    place.sql(name, "DROP TABLE alembic_version")

    told = doctor(1)

    assert told[f"{name} migrations"]["seen"] == "never migrated"
    assert told[f"{name} migrations"]["do"] == "orders-service migrate"
    assert told[f"{name} outbox"]["seen"] == f"cannot be told: see {name} migrations"
    assert {line.split()[0] for line in wrong(told)} <= {name, "oldest", "stock"}


def test_a_database_that_is_newer_is_told(place: Flow) -> None:
    place.sql("orders", "UPDATE alembic_version SET version_num = 'orders_9999'")

    assert_only(doctor(0), "orders migrations", "warning", "orders_9999, which this version does", "newer")


@pytest.mark.parametrize(("ahead", "word"), [(5, "behind"), (-5, "ahead")])
def test_clocks_that_differ_are_told(flow: Flow, ahead: int, word: str) -> None:
    examined = DatabaseChecks("orders", flow.settings, clock=lambda: utc_now() + timedelta(seconds=ahead))

    found = examined.time()
    examined.close()

    assert (found.level, found.seen.split()[-1]) == (Level.WARNING, word)
    assert re.search(r"is [45]\.\d s", found.seen)


def test_topics_that_differ_from_the_settings_are_told(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "9")

    told = doctor(0)

    assert_only(told, "topics", "warning", "^example-catalog-topic: partitions is 3, not 9; ", "TOPIC_")


def test_partitions_that_were_added_are_well(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "2")

    assert wrong(doctor(0)) == []


def test_a_topic_that_is_missing_is_wrong(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SINK_TOPIC", "orders")

    told = doctor(1)

    assert told["topics"]["seen"] == "orders missing"
    assert told["topics"]["do"] == "orders-service topics create"
    assert told["group catalog-stock"]["seen"] == "cannot be told: see topics"


def test_a_log_that_nobody_reads_is_told(place: Flow) -> None:
    place.place()
    while place.orders_relay.step():
        pass

    told = doctor(0)

    assert_only(told, "group catalog-stock", "warning", "^1 waiting in example-catalog-topic$", "run")


def test_without_anything_everything_is_away_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "new"))

    told = doctor(5)

    assert set(wrong(told)) == told.keys() - {"settings", "port"}
    assert told["orders database"]["do"] == told["catalog database"]["do"] == "orders-service migrate"
    assert told["broker"]["do"] == "orders-service topics create"
    assert not (tmp_path / "new").exists()


def test_settings_that_cannot_be_used_are_told_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_WORKERS", "many")
    monkeypatch.setenv("BROKER", "rabbitmq")

    result = CliRunner().invoke(main, ["--json"], catch_exceptions=False)

    lines = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [(line["check"], line["seen"].split()[0]) for line in lines] == [
        ("settings", "API_WORKERS"),
        ("settings", "BROKER"),
    ]


def test_a_port_of_another_program_is_wrong(place: Flow, own_port: int) -> None:
    with socket.create_server(("127.0.0.1", own_port)):
        told = doctor(1)

    assert told["port"]["seen"] == f"127.0.0.1:{own_port} is another program's"
    assert told["port"]["do"] == f"stop it, or API_PORT={own_port + 1}"


@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "nobody answers"])
def test_servers_that_are_away_are_told_soon_and_the_rest_is_looked_at(
    place: Flow, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not silent:
            server.close()
        monkeypatch.setenv("CATALOG_DATABASE_URL", f"mariadb+pymysql://c:s3cret@127.0.0.1:{port}/catalog")
        monkeypatch.setenv("BROKER", "kafka")
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        began = time.monotonic()
        told = doctor(5)
        took = time.monotonic() - began

    assert took < waiting.seconds(30)
    assert "127.0.0.1" in told["catalog database"]["seen"]
    assert "CATALOG_DATABASE_URL" in told["catalog database"]["do"]
    assert told["broker"]["level"] == "away"
    assert "KAFKA_" in told["broker"]["do"]
    assert told["catalog outbox"]["seen"] == "cannot be told: see catalog database"
    assert told["orders outbox"]["level"] == "fine"
    assert "s3cret" not in json.dumps(told)


def test_a_check_that_hangs_is_given_up_and_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_service.commands.doctor.finding.SECONDS", 0.1)

    def hang() -> Finding:
        time.sleep(5)
        return fine("too late")

    never = Check("never", hang)

    found = list(made([never, Check("next", lambda: fine("well"))]))

    assert [finding.level for _, finding in found] == [Level.AWAY, Level.FINE]
    assert found[0][1].seen.startswith("no answer within ")


def test_a_fault_of_a_check_is_no_server_that_is_away() -> None:
    faulty = Check("faulty", lambda: fine(str(int("many"))))

    found = list(made([faulty, Check("next", lambda: fine("well"))]))

    assert [finding.level for _, finding in found] == [Level.WRONG, Level.FINE]
    assert found[0][1].seen == "ValueError: invalid literal for int() with base 10: 'many'"


def _record_long_ago(place: Flow, name: str) -> None:
    """An event that waits since long, of an order that is answered."""
    place.place()
    place.run()
    place.sql(
        name,
        f"UPDATE outbox SET lane = topic, published_at = NULL, created_at = '{_from_now(-STUCK)}'",
    )
    place.sql(name, "DELETE FROM leases")


def _from_now(time: timedelta) -> str:
    """As both databases keep it."""
    return (utc_now() + time).strftime("%Y-%m-%d %H:%M:%S.%f")


def on_real_servers(function: Any) -> Any:
    """Run on the real MariaDB alone, beside a real Kafka."""
    return pytest.mark.real(pytest.mark.parametrize("databases", ["mariadb"], indirect=True)(function))


@on_real_servers
def test_a_healthy_deployment_of_all_processes_is_all_well(
    lab: Lab, databases: Databases, tmp_path: Path
) -> None:
    with deployed(lab, _as_a_service(lab, databases), tmp_path) as deployment:
        deployment.place("kim", BERLIN, 2)
        deployment.await_answers("kim")

        told = {line["check"]: line for line in json.loads(deployment.run("doctor", "--json"))}

    assert_only(
        told, "replication", "warning", "^replication is 1, min.insync.replicas is 1; ", "three brokers"
    )
    assert told["port"]["seen"] == f"the API answers on 127.0.0.1:{deployment.port}"
    (group,) = (line for name, line in told.items() if name.startswith("group stock-"))
    assert group["seen"].endswith(", 1 consumer")
    assert "MariaDB" in told["orders database"]["seen"]


@on_real_servers
@pytest.mark.parametrize(
    ("setting", "bad", "good"),
    [("innodb_flush_log_at_trx_commit", "2", "1"), ("sync_binlog", "0", "1")],
)
def test_a_database_that_forgets_in_a_power_cut_is_wrong(
    place: Flow, lab: Lab, setting: str, bad: str, good: str
) -> None:
    with as_root(lab, f"SET GLOBAL {setting} = {bad}", f"SET GLOBAL {setting} = {good}"):
        told = doctor(1)

    assert wrong(told) == ["orders durability", "catalog durability"]
    assert told["orders durability"]["seen"] == f"{setting}={bad}"
    assert f"{setting}={good}" in told["orders durability"]["do"]


@on_real_servers
def test_a_packet_that_is_too_small_is_wrong(place: Flow, lab: Lab) -> None:
    small, usual = (f"SET GLOBAL max_allowed_packet = {mib * 1_048_576}" for mib in (1, 16))
    with as_root(lab, small, usual):
        told = doctor(1)

    assert wrong(told) == ["orders packet", "catalog packet"]
    assert "max_allowed_packet=16777216" in told["orders packet"]["do"]


@on_real_servers
def test_a_binlog_that_debezium_cannot_use_is_wrong(
    place: Flow, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    monkeypatch.setenv("CONNECT_URL", lab.connect.url)
    with as_root(lab, "SET GLOBAL binlog_format = MIXED", "SET GLOBAL binlog_format = ROW"):
        told = doctor(1)

    assert wrong(told) == ["orders durability", "outbox-source"]
    assert told["orders durability"]["seen"] == "binlog_format=MIXED"
    assert "binlog_format=ROW" in told["orders durability"]["do"]


@on_real_servers
@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_right_that_is_missing_is_named(
    place: Flow, lab: Lab, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    service = _as_a_service(lab, place.databases)
    user = make_url(service.catalog_url).username
    database = make_url(service.catalog_url).database
    monkeypatch.setenv("CATALOG_DATABASE_URL", service.catalog_url)
    change = f"ON `{database}`.* {{}} `{user}`@'%'"
    with as_root(lab, f"REVOKE {right} {change.format('FROM')}", f"GRANT {right} {change.format('TO')}"):
        told = doctor(1 if right != "SELECT" else 5)

    if right == "SELECT":
        assert "SELECT" in told["catalog migrations"]["seen"]
    else:
        assert_only(told, "catalog rights", "wrong", f"{right} command denied", f"ON {database}.* TO {user}")


@on_real_servers
def test_what_the_database_takes_too_long_for_is_no_server_that_is_away(databases: Databases) -> None:
    def ask() -> Finding:
        with databases.catalog.connect() as connection:
            connection.execute(text("SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(5)"))
        return fine("told")

    ((_, found),) = made([Check("slow", ask)])

    assert found.level == Level.WARNING
    assert found.seen.startswith("takes too long to tell: ")


@on_real_servers
def test_a_password_that_is_wrong_is_told_and_not_shown(place: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url(place.databases.orders_url).set(password="s3cret")
    monkeypatch.setenv("ORDERS_DATABASE_URL", url.render_as_string(hide_password=False))

    told = doctor(5)

    assert "Access denied" in told["orders database"]["seen"]
    assert "s3cret" not in json.dumps(told)


@dataclass
class Log:
    """Topics and groups of one test alone, on the real Kafka."""

    servers: str
    broker: KafkaBroker
    environment: dict[str, str]

    @property
    def topic(self) -> str:
        return self.environment["CATALOG_TOPIC"]

    @property
    def group(self) -> str:
        return self.environment["STOCK_GROUP"]

    def fill(self, count: int) -> None:
        with closing(self.broker.producer()) as producer:
            sent = producer.send([Outgoing(self.topic, b"k", str(n).encode()) for n in range(count)])
            assert producer.wait(sent, seconds=waiting.seconds(SECONDS))
            assert all(delivery.acknowledged for delivery in sent)

    def configure(self, **settings: str) -> None:
        """Change the topic as an operator would with Kafka's tools."""
        changes = {name.replace("_", "."): value for name, value in settings.items()}
        with closing(kafka.KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            admin.alter_configs([ConfigResource("TOPIC", self.topic, configs=changes)])


@pytest.fixture
def log(kafka_servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """A log as it should be, but that nobody reads it; the databases are empty and embedded."""
    name = uuid.uuid4().hex[:8]
    environment = {
        "BROKER": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
        "STATE_DIR": str(tmp_path),
        "CATALOG_TOPIC": f"catalog-{name}",
        "STOCK_TOPIC": f"stock-{name}",
        "STOCK_GROUP": f"stock-{name}",
        "STATUS_GROUP": f"status-{name}",
        "TOPIC_PARTITIONS": "2",
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    broker = KafkaBroker(kafka_servers)
    broker.create_topics([environment["CATALOG_TOPIC"], environment["STOCK_TOPIC"]], TopicSpec(partitions=2))
    return Log(kafka_servers, broker, environment)


@pytest.mark.real
def test_a_group_without_consumers_is_told_and_wrong_once_records_wait(log: Log) -> None:
    before = doctor(5)
    log.fill(7)
    after = doctor(5)

    name = f"group {log.group}"
    assert (before[name]["level"], after[name]["level"]) == ("warning", "wrong")
    assert after[name]["seen"] == f"no consumer, 7 waiting in {log.topic}"
    assert after[name]["do"] == "start orders-service stock-consumer"


@pytest.mark.real
def test_a_group_with_a_consumer_is_well(log: Log) -> None:
    with closing(log.broker.subscribe(log.group, [log.topic])) as subscription:
        subscription.poll(seconds=1)

        told = doctor(5)

    assert told[f"group {log.group}"]["seen"] == f"0 waiting in {log.topic}, 1 consumer"


@pytest.mark.real
def test_records_that_were_dropped_unread_are_wrong(log: Log) -> None:
    log.fill(10)
    with closing(log.broker.subscribe(log.group, [log.topic])) as subscription:
        deadline = waiting.Deadline(SECONDS)
        while not (records := subscription.poll(seconds=1)):
            assert not deadline.over
        subscription.acknowledge(records[:3])
    with closing(kafka.KafkaAdminClient(bootstrap_servers=log.servers)) as admin:
        admin.delete_records({kafka.TopicPartition(log.topic, records[0].partition): 8})

    told = doctor(5)

    assert told[f"group {log.group}"]["level"] == "wrong"
    assert told[f"group {log.group}"]["seen"].startswith("5 records were dropped")
    assert "how to bring them back" in told[f"group {log.group}"]["do"]


@pytest.mark.real
def test_topics_that_kafka_has_otherwise_are_told(log: Log) -> None:
    log.configure(max_message_bytes="2000000")

    told = doctor(5)

    assert told["topics"]["seen"] == f"{log.topic}: max.message.bytes is 2000000, not 1048576"


@pytest.mark.real
def test_a_topic_that_keeps_longer_than_the_outbox_is_wrong(log: Log) -> None:
    log.configure(retention_ms=str(20 * 86_400_000))

    told = doctor(5)

    assert told["retention"]["level"] == "wrong"
    assert told["retention"]["seen"] == f"{log.topic} keeps 20 days, the outbox 14"


@pytest.mark.real
def test_a_topic_that_keeps_for_ever_keeps_longer_than_the_outbox(log: Log) -> None:
    log.configure(retention_ms="-1")

    told = doctor(5)

    assert told["retention"]["level"] == "wrong"
    assert told["retention"]["seen"] == f"{log.topic} keeps for ever, the outbox 14"


@pytest.mark.real
def test_a_topic_that_cannot_take_a_record_is_wrong(log: Log) -> None:
    log.configure(min_insync_replicas="2")

    told = doctor(5)

    assert told["replication"]["level"] == "wrong"
    assert told["replication"]["seen"] == f"{log.topic}: 1 in sync, fewer than must have a record"


@pytest.mark.real
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_topic_that_is_compacted_is_wrong(log: Log, policy: str) -> None:
    log.configure(cleanup_policy=policy)

    told = doctor(5)

    assert told["topic settings"]["level"] == "wrong"
    assert f"{log.topic}: cleanup.policy is {policy}" in told["topic settings"]["seen"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("setting", "value", "level"),
    [
        ("max_message_bytes", "2000", "wrong"),
        ("min_insync_replicas", "2", "wrong"),
        ("retention_bytes", "1000000", "warning"),
    ],
)
def test_a_topic_that_may_drop_or_refuse_events_is_told(
    log: Log, setting: str, value: str, level: str
) -> None:
    log.configure(**{setting: value})

    told = doctor(5)

    assert told["topic settings"]["level"] == level
    assert f"{setting.replace('_', '.')} is {value}" in told["topic settings"]["seen"]


@pytest.mark.real
def test_topics_as_we_create_them_are_well(log: Log) -> None:
    told = doctor(5)

    assert told["topic settings"]["level"] == "fine"
    assert told["transactions"]["level"] == "fine"


def test_a_transaction_that_hangs_is_named_with_what_ends_it() -> None:
    hanging = OpenTransaction("t", 3, 17, 20, quiet_seconds=61, producer_id=1000, transactional_id="debezium")

    found = topics.transactions([hanging], "kafka:9092")

    assert found.level == Level.WRONG
    assert "t-3@17" in found.seen
    assert "debezium" in found.seen
    assert found.do.endswith("--bootstrap-server kafka:9092 abort --topic t --partition 3 --start-offset 17")
    assert topics.transactions([replace(hanging, quiet_seconds=1)], "kafka:9092").level == Level.FINE


@pytest.mark.real
def test_topics_that_are_missing_on_kafka_are_wrong(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TOPIC", "never-made")

    assert doctor(5)["topics"]["seen"] == "never-made missing"


def _as_a_service(lab: Lab, databases: Databases) -> Databases:
    """The same databases by accounts that may read and write rows, and no more."""
    urls: list[str] = []
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        for url in (databases.orders_url, databases.catalog_url):
            database = make_url(url).database
            user = f"{database}_service"
            cursor.execute(f"CREATE USER IF NOT EXISTS `{user}`@'%' IDENTIFIED BY 'pw'")
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO `{user}`@'%'")
            service = make_url(url).set(username=user, password="pw")
            urls.append(service.render_as_string(hide_password=False))
    return Databases(urls[0], urls[1])
