"""Each query of a journey uses an index, in tables with many rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from orders_service.broker_client import BROKER_FILE
from tests.database.plans import assert_indexed, explained
from tests.flow_kit import Flow
from tests.operations.journey.kit import journey_of

pytestmark = [pytest.mark.real, pytest.mark.parametrize("databases", ["mariadb"], indirect=True)]

MANY = 5_000
OUTBOX = (
    "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`,"
    " payload, created_at)"
    " SELECT CONCAT('id-', seq), '1.0', '/x', 'x', 'order', seq, '', 'x', 'x', '{}', NOW(6)"
    f" FROM seq_1_to_{MANY}"
)
LETTERS = (
    "INSERT INTO dead_letters (topic, `partition`, `offset`, record_timestamp, consumer_group, headers,"
    " reason, detail, created_at)"
    " SELECT CONCAT('topic-', seq MOD 50), 0, seq, 1, 'x', '[]', 'unreadable', 'x', NOW(6)"
    f" FROM seq_1_to_{MANY}"
)


def fill(engine: Engine) -> None:
    """Many events and dead letters of others."""
    with engine.begin() as connection:
        for statement in (OUTBOX, LETTERS):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("ANALYZE TABLE outbox, dead_letters").all()


@pytest.mark.parametrize("has_log", [True, False])
def test_each_query_of_a_journey_uses_an_index(flow: Flow, has_log: bool) -> None:
    for engine in (flow.databases.orders, flow.databases.catalog):
        fill(engine)
    order_id = flow.place()
    flow.run()
    if not has_log:
        with closing(sqlite3.connect(Path(flow.settings.state_dir, BROKER_FILE))) as log:
            log.execute("DELETE FROM records")
            log.commit()

    with explained() as plans:
        journey_of(flow, order_id)

    assert_indexed(plans)
    keys = {plan["table"]: plan["key"] for _, plan in plans}
    assert keys["outbox"] == "ix_outbox_id"
    assert keys["dead_letters"] == ("PRIMARY" if has_log else "ix_dead_letters_resolution_held_at_created_at")
