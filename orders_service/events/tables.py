"""The event tables: outbox, leases and dead_letters. Both databases have them."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Text
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
    """A record that was given up on, with the reason, and whether it was replayed or discarded since."""

    __tablename__ = "dead_letters"

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
