"""The forms of an order agree: whoever adds a fact and forgets a form of it is told which file lacks it."""

import re
from pathlib import Path

from sqlalchemy import inspect

from orders_service.api.requests import ORDER_REQUEST
from orders_service.contract import facts, sink
from orders_service.contract.facts import FACTS, JSON_NAMES
from orders_service.orders.order import Order
from rig.databases import Databases

ROOT = Path(__file__).resolve().parents[2]
NOT_ASKED = {"order_id", "user_id", "total_price"}  # Made by the service, in the path, and derived.
NOT_FACTS = {"id", "created_at", "status", "reason", "version", "updated_at"}


def missing(facts: set[str], found: set[str], file: str) -> str:
    """A sentence for the facts that *file* lacks, and for what it has beyond the facts."""
    by_file = {file: facts - found, "orders_service/contract/facts.py": found - facts}
    return "; ".join(f"{file} lacks {', '.join(sorted(names))}" for file, names in by_file.items() if names)


def test_a_request_has_every_fact_that_a_customer_decides() -> None:
    asked = set(ORDER_REQUEST.fields)

    assert missing(set(FACTS) - NOT_ASKED, asked, "orders_service/api/requests.py") == ""


def test_a_field_of_a_request_has_the_facts_name_in_json() -> None:
    names = {name: field.data_key or name for name, field in ORDER_REQUEST.fields.items()}

    assert names == {name: facts.camel_case(name) for name in names}


def test_the_table_has_a_column_for_every_fact() -> None:
    columns = set(Order.__table__.columns.keys()) - NOT_FACTS

    assert missing(set(FACTS), columns, "orders_service/orders/order.py") == ""


def test_the_migrations_make_a_column_for_every_fact(databases: Databases) -> None:
    columns = {column["name"] for column in inspect(databases.orders).get_columns("orders")} - NOT_FACTS

    assert missing(set(FACTS), columns, "orders_service/migrations/orders") == ""


def test_the_sinks_table_has_a_column_for_every_fact() -> None:
    text = (ROOT / "config/mydb.sql").read_text().partition("mydb.orders (")[2]
    columns = set(re.findall(r"^  ([a-z_]+) ", text, re.MULTILINE)) - NOT_FACTS

    assert missing(set(sink.NAMES), columns, "config/mydb.sql") == ""


def test_the_page_of_events_names_every_fact() -> None:
    text = (ROOT / "docs/events.md").read_text()
    (listed,) = re.findall(r"^\| `order\.placed\.v1` .*`([\w, ]+)` \|$", text, re.MULTILINE)

    assert listed.split(", ") == list(JSON_NAMES), "docs/events.md lists the facts of an order"
