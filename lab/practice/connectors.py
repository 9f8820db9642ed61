"""Steps 2 to 6 of the practice: tables, Kafka Connect, a source, a sink, a record by hand."""

import json
from functools import partial
from typing import Any
from uuid import uuid4

from ..server import within
from ..terminal import ROOT, SECONDS, NotAsExpected, Terminal

TOPIC = "my_topic_users"
SOURCE, SINK, ORDER_SINK = "my-source-connect", "my-sink-connect", "my-order-sink-connect"


def database(terminal: Terminal) -> None:
    """Step 2: `mydb` with its tables."""
    forget(terminal, SINK, SOURCE)
    make_tables(terminal)
    terminal.sql("TRUNCATE mydb.users; DROP TABLE IF EXISTS mydb.my_topic_users")
    tables = [row[0] for row in terminal.sql("SHOW TABLES FROM mydb")]
    terminal.see("users and orders", " and ".join(tables), {"users", "orders"} <= set(tables))


def worker(terminal: Terminal) -> None:
    """Step 3: Connect has its topics, no connectors of ours and its plugins."""
    forget(terminal, SINK, SOURCE)
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
    forget(terminal, SINK)
    make_tables(terminal)
    if SOURCE not in terminal.forgotten:
        # Connect can delete the offsets only of a connector that exists.
        terminal.say(
            "  Connect remembers how far a source came, even of one that was deleted. Forget that, too:"
        )
        terminal.service("connectors", "apply", SOURCE)
        forget(terminal, SOURCE)
    terminal.sql("TRUNCATE mydb.users")
    terminal.tool("kafka-topics", "--delete", "--if-exists", "--topic", TOPIC)
    terminal.service("connectors", "apply", SOURCE)
    states = terminal.service("connectors", "status", SOURCE)
    terminal.see(
        "connector and task RUNNING", f"{states.count('RUNNING')} RUNNING", states.count("RUNNING") == 2
    )
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(f"no {TOPIC} before the first row", f"{len(names)} topics", TOPIC not in names)
    terminal.sql(f"INSERT INTO mydb.users (user_id, name) VALUES ('{terminal.user}', 'Ada')")
    answer = terminal.tool(
        "kafka-console-consumer",
        "--topic",
        TOPIC,
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
    forget(terminal, SINK)
    terminal.sql("DROP TABLE IF EXISTS mydb.my_topic_users")
    # The topic may still contain the record that step 6 of an earlier practice wrote by hand.
    every = "SELECT id, user_id, name FROM mydb.{} WHERE user_id NOT LIKE 'hand-%' ORDER BY id"
    before = terminal.rows(every.format("users"))
    if not before:
        raise NotAsExpected("mydb.users is empty; walk step 4 first")
    terminal.service("connectors", "apply", SINK)
    terminal.await_seen(
        "table my_topic_users, made and filled", partial(terminal.rows, every.format(TOPIC)), before
    )
    terminal.sql(f"INSERT INTO mydb.users (user_id, name) VALUES ('{terminal.user}', 'Grace')")
    after = terminal.rows(every.format("users"))
    terminal.await_seen("the new row in both tables", partial(terminal.rows, every.format(TOPIC)), after)
    terminal.sql(every.format(TOPIC))


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
    terminal.tool("kafka-console-producer", "--topic", TOPIC, typed=f"{line}\n")
    counted = "SELECT COUNT(*) FROM mydb.{} WHERE user_id = '{}'"
    terminal.await_seen(
        "one row in my_topic_users", partial(terminal.rows, counted.format(TOPIC, user)), [["1"]]
    )
    rows = terminal.sql(counted.format("users", user))
    terminal.see("none in users", rows, rows == [["0"]])


def make_tables(terminal: Terminal) -> None:
    terminal.tool("mariadb", "-e", f"source {(ROOT / 'config/mydb.sql').relative_to(ROOT)}")


def forget(terminal: Terminal, *names: str) -> None:
    """Delete connectors together with their offsets in Connect."""
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


def _object(text: str) -> dict[str, Any]:
    """The JSON object in a text; empty if it is something else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
