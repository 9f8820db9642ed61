"""The course's practice: nine steps against the running lab. Each types, looks, and says what it saw."""

import json
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import httpx

from .errors import LabError, NotRunning
from .laboratory import Lab
from .ports import HOST, Ports
from .server import within
from .terminal import ROOT, SECONDS, NotAsExpected, Terminal, lines_of

CDC = "outbox-source"
TOPIC, TABLES_TOPIC, SINK_TOPIC = "quickstart-events", "my_topic_users", "orders"
SOURCE, SINK, ORDER_SINK = "my-source-connect", "my-sink-connect", "my-order-sink-connect"
WORKERS = ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer")


def practice(lab: Lab, steps: Sequence[int] = (), out: TextIO = sys.stdout) -> bool:
    """Walk the steps, all nine unless some are named. False if one was not as expected; the rest is left."""
    for server in (*lab.kafka.brokers, lab.mariadb, lab.connect):
        if not server.answers():
            raise NotRunning("Kafka Connect" if server is lab.connect else server.name)
    terminal = Terminal(lab, out)
    for number in steps or range(1, len(STEPS) + 1):
        title, step = STEPS[number - 1]
        terminal.say(f"\n{number}. {title}")
        began = time.monotonic()
        try:
            step(terminal)
        except (LabError, httpx.HTTPError, subprocess.TimeoutExpired) as error:
            terminal.say(f"✘ {number}. {title}: {error}")
            for line in terminal.failures():
                terminal.say(f"  {line}")
            return False
        terminal.say(f"✔ {number}. {title} ({time.monotonic() - began:.1f} s)")
    return True


def console(terminal: Terminal) -> None:
    """Step 1: a topic by Kafka's own tools."""
    terminal.tool("kafka-topics", "--delete", "--if-exists", "--topic", TOPIC)
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(f"no {TOPIC}; on a fresh Kafka no topic at all", f"{len(names)} topics", TOPIC not in names)
    terminal.tool("kafka-topics", "--create", "--topic", TOPIC, "--partitions", "1")
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(TOPIC, next((name for name in names if name == TOPIC), "nothing"), TOPIC in names)
    described = terminal.tool("kafka-topics", "--describe", "--topic", TOPIC)
    count = "PartitionCount: 1"
    terminal.see(count, count if count in described else described, count in described)
    typed, came = _typed_until_seen(terminal)
    terminal.see("the consumer shows what is typed while it looks", came, came in typed)
    again = terminal.tool(
        "kafka-console-consumer",
        "--topic",
        TOPIC,
        "--from-beginning",
        "--max-messages",
        str(len(typed)),
        "--timeout-ms",
        "30000",
    ).splitlines()
    terminal.see(
        "with --from-beginning every line again", f"{len(again)} of {len(typed)} lines", again == typed
    )


def _typed_until_seen(terminal: Terminal) -> tuple[list[str], str]:
    """A line a second, for nobody can tell from outside when a console consumer has begun to look."""
    consumer = ["kafka-console-consumer", "--topic", TOPIC, "--max-messages", "1"]
    producer = ["kafka-console-producer", "--topic", TOPIC]
    typed: list[str] = []
    with terminal.open(*consumer) as reading, terminal.open(*producer) as writing:
        lines = lines_of(reading.stdout)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            typed.append(f"Hello, Kafka {len(typed) + 1}")
            terminal.say(f"  > {typed[-1]}")
            print(typed[-1], file=writing.stdin, flush=True)
            try:
                came = lines.get(timeout=1)
            except queue.Empty:
                continue
            assert writing.stdin is not None
            writing.stdin.close()
            writing.wait(SECONDS)  # What it was given is sent before it ends.
            return typed, came
    raise NotAsExpected(f"the console consumer showed nothing of {len(typed)} lines typed")


def database(terminal: Terminal) -> None:
    """Step 2: `mydb` with its tables."""
    _forget(terminal, SINK, SOURCE)
    _make_tables(terminal)
    terminal.sql("TRUNCATE mydb.users; DROP TABLE IF EXISTS mydb.my_topic_users")
    tables = [row[0] for row in terminal.sql("SHOW TABLES FROM mydb")]
    terminal.see("users and orders", " and ".join(tables), {"users", "orders"} <= set(tables))


def worker(terminal: Terminal) -> None:
    """Step 3: Connect has its topics, no connectors of ours and its plugins."""
    _forget(terminal, SINK, SOURCE)
    if ORDER_SINK in terminal.http("GET", f"{terminal.connect}/connectors", quiet=True):
        terminal.service("connectors", "delete", ORDER_SINK)
    names = {name for name in terminal.tool("kafka-topics", "--list").split() if name.startswith("connect-")}
    own = {"connect-configs", "connect-offsets", "connect-status"}
    terminal.see(", ".join(sorted(own)), ", ".join(sorted(names)), own <= names)
    found = terminal.http("GET", f"{terminal.connect}/connectors")
    terminal.see("[] on a fresh Connect", found, not {SOURCE, SINK, ORDER_SINK} & set(found))
    plugins = {
        one["class"].split(".")[-1] for one in terminal.http("GET", f"{terminal.connect}/connector-plugins")
    }
    wanted = {"MariaDbConnector", "JdbcSinkConnector"}
    terminal.see("MariaDbConnector and JdbcSinkConnector", ", ".join(sorted(plugins)), wanted <= plugins)


def source(terminal: Terminal) -> None:
    """Step 4: a row becomes a record."""
    _forget(terminal, SINK)
    _make_tables(terminal)
    if SOURCE not in terminal.forgotten:
        terminal.service("connectors", "apply", SOURCE)  # Connect lets only what it has be forgotten.
        _forget(terminal, SOURCE)
    terminal.sql("TRUNCATE mydb.users")
    terminal.tool("kafka-topics", "--delete", "--if-exists", "--topic", TABLES_TOPIC)
    terminal.service("connectors", "apply", SOURCE)
    states = terminal.service("connectors", "status", SOURCE)
    terminal.see(
        "connector and task RUNNING", f"{states.count('RUNNING')} RUNNING", states.count("RUNNING") == 2
    )
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(f"no {TABLES_TOPIC} before the first row", f"{len(names)} topics", TABLES_TOPIC not in names)
    terminal.sql(f"INSERT INTO mydb.users (user_id, name) VALUES ('{terminal.user}', 'Ada')")
    answer = terminal.tool(
        "kafka-console-consumer",
        "--topic",
        TABLES_TOPIC,
        "--from-beginning",
        "--max-messages",
        "1",
        "--timeout-ms",
        "30000",
    )
    record = _object(answer)
    payload = record.get("payload") or {}
    holds = record.keys() == {"schema", "payload"} and payload.get("user_id") == terminal.user
    terminal.see('{"schema": …, "payload": the row}', payload or "nothing", holds)


def sink(terminal: Terminal) -> None:
    """Step 5: a record becomes a row of another table."""
    _forget(terminal, SINK)
    terminal.sql("DROP TABLE IF EXISTS mydb.my_topic_users")
    # The topic keeps what step 6 of an earlier walk wrote by hand.
    every = "SELECT id, user_id, name FROM mydb.{} WHERE user_id NOT LIKE 'hand-%' ORDER BY id"
    before = terminal.rows(every.format("users"))
    if not before:
        raise NotAsExpected("mydb.users is empty; walk step 4 first")
    terminal.service("connectors", "apply", SINK)
    terminal.await_seen(
        "table my_topic_users, made and filled", partial(terminal.rows, every.format(TABLES_TOPIC)), before
    )
    terminal.sql(f"INSERT INTO mydb.users (user_id, name) VALUES ('{terminal.user}', 'Grace')")
    after = terminal.rows(every.format("users"))
    terminal.await_seen(
        "the new row in both tables", partial(terminal.rows, every.format(TABLES_TOPIC)), after
    )
    terminal.sql(every.format(TABLES_TOPIC))


def by_hand(terminal: Terminal) -> None:
    """Step 6: a record that no source wrote."""
    fields = [("int32", "id"), ("string", "user_id"), ("string", "name")]
    user = f"hand-{uuid4().hex[:6]}"
    schema = {
        "type": "struct",
        "optional": False,
        "name": "users",
        "fields": [{"type": kind, "optional": name != "id", "field": name} for kind, name in fields],
    }
    payload = {"id": 1_000_000 + uuid4().int % 1_000_000_000, "user_id": user, "name": "Edsger"}
    line = json.dumps({"schema": schema, "payload": payload})
    terminal.tool("kafka-console-producer", "--topic", TABLES_TOPIC, typed=f"{line}\n")
    counted = "SELECT COUNT(*) FROM mydb.{} WHERE user_id = '{}'"
    terminal.await_seen(
        "one row in my_topic_users", partial(terminal.rows, counted.format(TABLES_TOPIC, user)), [["1"]]
    )
    rows = terminal.sql(counted.format("users", user))
    terminal.see("none in users", rows, rows == [["0"]])


def order(terminal: Terminal) -> None:
    """Step 7: an order takes stock."""
    with tempfile.TemporaryDirectory() as folder, _whole_service(terminal, Path(folder)) as (api,):
        # The catalog takes a product's orders in turn: behind this answer nothing older is left to come.
        first = _placed_and_answered(terminal, api, 1)
        before = _stock(terminal, api)
        second = _placed_and_answered(terminal, api, 20)
        sql = f"SELECT order_id, qty, state FROM catalog.reservations WHERE order_id = '{second['orderId']}'"
        rows = terminal.sql(sql)
        terminal.see("the catalog's reservation of 20", rows, [row[1] for row in rows] == ["20"])
        terminal.await_seen(
            f"stock {before} → {before - 20}", partial(_stock, terminal, api, quiet=True), before - 20
        )
        _give_back(terminal, api, terminal.user, [first, second])


def partial_lists(terminal: Terminal) -> None:
    """Step 8: two instances, each with a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            {
                "ORDERS_DATABASE_URL": f"sqlite:///{folder}/orders-{number}.db",
                "CATALOG_DATABASE_URL": f"sqlite:///{folder}/catalog-{number}.db",
            }
            for number in (1, 2)
        ]
        for one in settings:
            terminal.service("migrate", **one)
        user = f"{terminal.user}-8"
        with ExitStack() as stack:
            instances = [stack.enter_context(_api(terminal, Path(folder), **one)) for one in settings]
            _five_in_turn(terminal, instances, user)
            lists = [_orders(terminal, api, user) for api in instances * 2]
            seen = " then ".join(str(len(one)) for one in lists)
            whole = {one["orderId"] for one in lists[0]} | {one["orderId"] for one in lists[1]}
            holds = [len(one) for one in lists] == [3, 2, 3, 2] and len(whole) == 5
            terminal.see("GET shows 3 then 2 then 3 then 2 of the five", seen, holds)


def one_list(terminal: Terminal) -> None:
    """Step 9: both instances on one database, and one table behind the sink."""
    _make_tables(terminal)
    user = f"{terminal.user}-9"
    with (
        tempfile.TemporaryDirectory() as folder,
        _whole_service(terminal, Path(folder), instances=2, ORDERS_SINK_TOPIC=SINK_TOPIC) as instances,
    ):
        terminal.service("connectors", "apply", ORDER_SINK)
        placed = _five_in_turn(terminal, instances, user)
        lists = [[one["orderId"] for one in _orders(terminal, api, user)] for api in instances]
        wanted = [one["orderId"] for one in placed]
        seen = " and ".join(str(len(one)) for one in lists)
        terminal.see("all five from either", seen, lists == [wanted, wanted])
        landed = f"FROM mydb.orders WHERE user_id = '{user}' ORDER BY order_id"
        content = [
            [
                one["orderId"],
                one["productId"],
                *(str(one[name]) for name in ("qty", "unitPrice", "totalPrice")),
            ]
            for one in sorted(placed, key=lambda one: str(one["orderId"]))
        ]
        columns = "order_id, product_id, qty, unit_price, total_price"
        terminal.await_seen(
            "all five in mydb.orders", partial(terminal.rows, f"SELECT {columns} {landed}"), content
        )
        terminal.sql(f"SELECT {columns} {landed}")
        _give_back(terminal, instances[0], user, placed)


def _make_tables(terminal: Terminal) -> None:
    terminal.tool("mariadb", "-e", f"source {(ROOT / 'config/mydb.sql').relative_to(ROOT)}")


def _forget(terminal: Terminal, *names: str) -> None:
    """Remove connectors together with what Connect has noted of how far they came."""
    there = terminal.http("GET", f"{terminal.connect}/connectors", quiet=True)
    for name in names:
        if name in there:
            _remove(terminal, name)


def _remove(terminal: Terminal, name: str) -> None:
    url = f"{terminal.connect}/connectors/{name}"

    def has_stopped() -> bool:
        status = terminal.http("GET", f"{url}/status", quiet=True)
        return status["connector"]["state"] == "STOPPED" and not status["tasks"]

    terminal.http("PUT", f"{url}/stop")
    if not within(SECONDS, has_stopped):
        raise NotAsExpected(f"{name} does not stop")
    terminal.http("DELETE", f"{url}/offsets")
    terminal.service("connectors", "delete", name)
    terminal.forgotten.add(name)


@contextmanager
def _api(terminal: Terminal, logs: Path, **settings: str) -> Iterator[str]:
    """One instance of the API on a port of its own; its URL."""
    port = Ports.free().connect
    with terminal.running("api", logs, API_PORT=str(port), **settings):
        url = f"http://{HOST}:{port}"
        terminal.await_ready(url)
        yield url


@contextmanager
def _whole_service(
    terminal: Terminal, logs: Path, *, instances: int = 1, **settings: str
) -> Iterator[list[str]]:
    """The service's processes on the lab's databases; the URL of each instance of the API."""
    if CDC in terminal.http("GET", f"{terminal.connect}/connectors", quiet=True):
        status = terminal.http("GET", f"{terminal.connect}/connectors/{CDC}/status", quiet=True)
        if status["connector"]["state"] != "STOPPED":
            raise NotAsExpected(
                f"{CDC} and orders-relay must not both run: orders-service connectors delete {CDC}"
            )
    terminal.service("migrate")
    terminal.service("topics", "create", **settings)
    with ExitStack() as stack:
        for word in WORKERS:
            stack.enter_context(terminal.running(word, logs, **settings))
        yield [stack.enter_context(_api(terminal, logs, **settings)) for _ in range(instances)]


def _place(terminal: Terminal, api: str, user: str, qty: int) -> dict[str, Any]:
    asked = {"productId": "CATALOG-001", "qty": qty, "unitPrice": 1500}
    placed: dict[str, Any] = terminal.http("POST", f"{api}/order-service/{user}/orders", asked)
    return placed


def _placed_and_answered(terminal: Terminal, api: str, qty: int) -> dict[str, Any]:
    placed = _place(terminal, api, terminal.user, qty)
    url = f"{api}/order-service/{terminal.user}/orders/{placed['orderId']}"

    def status() -> str:
        found = terminal.http("GET", url, quiet=True)
        return " ".join(filter(None, (found["status"], found.get("reason"))))

    within(SECONDS, lambda: status() != "PENDING")
    terminal.await_seen(f"the order of {qty} CONFIRMED by the catalog", status, "CONFIRMED")
    return placed


def _five_in_turn(terminal: Terminal, instances: Sequence[str], user: str) -> list[dict[str, Any]]:
    """What a gateway does with five orders."""
    return [_place(terminal, instances[number % 2], user, number + 1) for number in range(5)]


def _orders(terminal: Terminal, api: str, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.http("GET", f"{api}/order-service/{user}/orders")
    return found


def _stock(terminal: Terminal, api: str, *, quiet: bool = False) -> int:
    product = terminal.http("GET", f"{api}/catalog-service/catalogs/CATALOG-001", quiet=quiet)
    return int(product["stock"])


def _give_back(terminal: Terminal, api: str, user: str, placed: Sequence[Mapping[str, Any]]) -> None:
    """Cancel what may be cancelled, and wait until the catalog has it again: the next walk finds it whole."""
    url = f"{api}/order-service/{user}/orders"

    def is_answered() -> bool:
        return all(one["status"] != "PENDING" for one in terminal.http("GET", url, quiet=True))

    within(SECONDS, is_answered)
    before = _stock(terminal, api, quiet=True)
    confirmed = [one for one in terminal.http("GET", url, quiet=True) if one["status"] == "CONFIRMED"]
    for one in confirmed:
        terminal.http("POST", f"{url}/{one['orderId']}/cancel")
    back = before + sum(one["qty"] for one in confirmed)
    terminal.await_seen(
        "the cancelled pieces back in stock", partial(_stock, terminal, api, quiet=True), back
    )


def _object(text: str) -> dict[str, Any]:
    """The JSON object of an answer; empty if there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


STEPS: list[tuple[str, Callable[[Terminal], None]]] = [
    ("Kafka by its console tools", console),
    ("MariaDB: mydb and its tables", database),
    ("Kafka Connect", worker),
    ("The source: a row becomes a record", source),
    ("The sink: a record becomes a row", sink),
    ("A record by hand", by_hand),
    ("An order takes stock", order),
    ("Two instances, two databases: partial lists", partial_lists),
    ("Two instances, one database, one sink: whole lists", one_list),
]
