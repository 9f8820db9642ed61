"""A text in a statement means itself, in every mode and charset of the session."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lab.database_server import DatabaseServer
from orders_service import migrations
from orders_service.catalog.product import Product
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_engine
from orders_service.database.one_trip import quoted
from tests.database.resets import ATTACKS, attacks, migrated

pytestmark = pytest.mark.real

MODES = ("", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ORACLE", "PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES")
CHARSETS = ("utf8mb4", "latin1", "gbk", "sjis", "big5")  # What a session may believe that we send.


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("mode", MODES)
def test_a_literal_means_the_same_in_every_mode_and_charset(
    server: DatabaseServer, mode: str, charset: str
) -> None:
    texts = attacks(ATTACKS)
    found: list[str] = []
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_mode = '{mode}', character_set_client = {charset}")
        for start in range(0, ATTACKS, 500):
            some = texts[start : start + 500]
            hexes = ", ".join(f"HEX(CONVERT({quoted(one)} USING utf8mb4))" for one in some)
            connection.query(f"SELECT {hexes}".encode())
            found += connection._result.rows[0]  # type: ignore[attr-defined]

    assert [bytes.fromhex(one or "") for one in found] == [one.encode() for one in texts]


def test_a_text_with_a_backslash_is_found_by_the_index(server: DatabaseServer) -> None:
    engine = migrated(server, "orders_literals")
    with engine.connect() as connection:
        for user in ("back\\slash", "é\\", "é"):
            plan = connection.execute(text("EXPLAIN SELECT * FROM orders WHERE user_id = :u"), {"u": user})
            assert plan.mappings().one()["key"] == "ix_orders_user_id_id", user
        several = {"a": "back\\slash", "b": "é", "c": "plain"}
        plan = connection.execute(
            text("EXPLAIN SELECT * FROM orders WHERE order_id IN (:a, :b, :c)"), several
        )
        assert plan.mappings().one()["key"] == "uq_orders_order_id"
    engine.dispose()


def test_texts_are_compared_as_the_column_says(server: DatabaseServer) -> None:
    engine = open_engine(server.create_database("catalog_reset"))
    migrations.upgrade(engine, "catalog")
    with Session(engine) as session:
        for product in ("a\\b", "A\\b", "é", "É"):
            new = Product(
                product_id=product, product_name=product, stock=0, unit_price=0, created_at=utc_now()
            )
            session.add(new)
        session.commit()

        for product in ("a\\b", "A\\b", "é", "É"):
            assert session.scalars(select(Product.product_id).where(Product.product_id == product)).all() == [
                product
            ]
    engine.dispose()
