"""The tables that both databases have: outbox, leases, dead_letters and actions."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders_service.database.columns import NAMING_CONVENTION, UtcDateTime, exact_text, row_number

BYTES = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
LONG_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
TOPIC = exact_text(249)


class EventsBase(DeclarativeBase):
    """Metadata of the event tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class OutboxRow(EventsBase):
    """An event, recorded in the transaction of its cause. Pending while `lane` names its topic.

    The columns suit Debezium's outbox event router, so that it can take the relay's place.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "lane", "seq"), Index(None, "id"))

    seq: Mapped[int] = mapped_column(row_number(), primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(exact_text(36))
    specversion: Mapped[str] = mapped_column(exact_text(3))
    source: Mapped[str] = mapped_column(exact_text(255))
    type: Mapped[str] = mapped_column(exact_text(64))
    aggregatetype: Mapped[str] = mapped_column(exact_text(64))
    aggregateid: Mapped[str] = mapped_column(exact_text(255))
    time: Mapped[str] = mapped_column(exact_text(27))
    topic: Mapped[str] = mapped_column(TOPIC)
    key: Mapped[str] = mapped_column(exact_text(255))
    payload: Mapped[str] = mapped_column(LONG_TEXT)
    traceparent: Mapped[str | None] = mapped_column(exact_text(55))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    lane: Mapped[str | None] = mapped_column(TOPIC)
    # Why the broker refused the event permanently: it is then *set aside* (`lane` NULL, not published).
    error: Mapped[str | None] = mapped_column(String(512))


class Lease(EventsBase):
    """The right of one owner to relay one lane until `expires_at`, by the database's clock."""

    __tablename__ = "leases"

    lane: Mapped[str] = mapped_column(TOPIC, primary_key=True)
    owner: Mapped[str] = mapped_column(exact_text(128))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())


class DeadLetter(EventsBase):
    """A record that was given up on, with the reason, and what an operator has decided about it since.

    It *waits* until it is replayed or discarded. If `held_at` is set it is *on hold*: kept, but not counted.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (Index(None, "resolution", "held_at", "created_at"),)

    topic: Mapped[str] = mapped_column(TOPIC, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # Milliseconds. If a topic is deleted and created again, its offsets repeat; the timestamp still differs.
    record_timestamp: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    consumer_group: Mapped[str] = mapped_column(exact_text(255), primary_key=True)
    key: Mapped[bytes | None] = mapped_column(BYTES)
    value: Mapped[bytes | None] = mapped_column(BYTES)
    headers: Mapped[str] = mapped_column(LONG_TEXT)  # JSON: [[name, value in base64], …]
    reason: Mapped[str] = mapped_column(exact_text(32))
    detail: Mapped[str] = mapped_column(LONG_TEXT)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    resolution: Mapped[str | None] = mapped_column(exact_text(16))  # replayed or discarded
    resolved_by: Mapped[str | None] = mapped_column(exact_text(255))
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    held_by: Mapped[str | None] = mapped_column(exact_text(255))
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    note: Mapped[str | None] = mapped_column(exact_text(255))  # What it is on hold for.


class Action(EventsBase):
    """What an operator did: who, when, on what, and what came of it. Rows are never deleted.

    The answer is kept, so that a request that is repeated with its idempotency key gets it again. It is NULL
    while the action runs, and stays NULL if it failed or its process was killed. `done_at` is when it began.
    """

    __tablename__ = "actions"
    __table_args__ = (UniqueConstraint("done_by", "idempotency_key"),)

    id: Mapped[int] = mapped_column(row_number(), primary_key=True, autoincrement=True)
    done_at: Mapped[datetime] = mapped_column(UtcDateTime())
    done_by: Mapped[str] = mapped_column(exact_text(255))
    action: Mapped[str] = mapped_column(exact_text(64))  # For example `dead-letters replay`.
    target: Mapped[str] = mapped_column(exact_text(512))  # What it was done to.
    idempotency_key: Mapped[str] = mapped_column(exact_text(255))  # Random if the client sent none.
    request_digest: Mapped[str] = mapped_column(exact_text(64))
    outcome: Mapped[str | None] = mapped_column(exact_text(512))
    answer: Mapped[str | None] = mapped_column(LONG_TEXT)  # JSON
