"""A transaction on both databases: what a failed attempt leaves is undone before the next."""

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError

from orders_service.database.transactions import in_transaction
from tests.database.things import THINGS, things


def test_what_a_failed_commit_leaves_open_is_rolled_back_before_the_next_attempt(engine: Engine) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        THINGS.write(connection, [(len(attempts), "key")])

    @event.listens_for(engine, "commit")
    def on_commit(connection: Connection) -> None:
        if len(attempts) == 1:
            connection.exec_driver_sql("SELECT 1")  # What is held has now been sent.
            raise IntegrityError("COMMIT", None, Exception("a twin was first"))

    with engine.connect() as connection:
        in_transaction(connection, work)

    assert things(engine) == [(2, "lamp", "key", 1)]
