"""A transaction's inserts travel with its COMMIT: all or none, and who asks meanwhile sees them."""

import ssl
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.exc import FlushError

from lab import Lab, Ports
from lab.mariadb import MariaDB
from lab.server import within
from orders_service.database.engines import open_engine

pytestmark = pytest.mark.real

INSERT = text("INSERT INTO numbers (number, name) VALUES (:number, :name)")
NASTY = "it's a \\ and a \\' and \"\n\r\t\x00\x1a %s %(name)s ; -- `é😀` \\"


class Base(DeclarativeBase):
    """Tables of this test."""


class Numbered(Base):
    """A row whose number the database gives."""

    __tablename__ = "numbered"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    """A table of numbers, each at most once, on one connection that is kept."""
    database = "one_trip"
    found = open_engine(lab.mariadb.create_database(database), pool_size=1, one_trip=True)
    with found.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS numbers"))
        connection.execute(text("CREATE TABLE numbers (number INT PRIMARY KEY, name VARCHAR(60))"))
    yield found
    found.dispose()


def numbers(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [
            number for (number,) in connection.execute(text("SELECT number FROM numbers ORDER BY number"))
        ]


def asked(connection: Connection) -> int:
    """How many times this connection has asked the server something."""
    return int(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Questions'").one()[1])


def write(engine: Engine, *rows: tuple[int, str]) -> None:
    """One INSERT for each row, and a COMMIT."""
    with engine.begin() as connection:
        for number, name in rows:
            connection.execute(INSERT, {"number": number, "name": name})


def test_inserts_and_commit_are_one_round_trip(engine: Engine) -> None:
    with engine.connect() as connection:
        before = asked(connection)
        connection.execute(INSERT, [{"number": number, "name": "x"} for number in range(50)])
        connection.execute(INSERT, {"number": 50, "name": "x"})
        connection.commit()
        after = asked(connection)

    assert after - before == 2  # The block, and the question how many there were.
    assert numbers(engine) == list(range(51))


@pytest.mark.parametrize(
    ("spoilt", "error"),
    [((1, "twice"), IntegrityError), ((2, "x" * 61), DataError)],
    ids=["twin", "too long"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_a_transaction_that_fails_nothing_stays_and_nothing_slips_into_the_next(
    engine: Engine, spoilt: tuple[int, str], error: type[Exception], place: int
) -> None:
    write(engine, (1, "first"))
    rows = [(10, "a"), (11, "b")]
    rows.insert(place, spoilt)

    with pytest.raises(error):
        write(engine, *rows)
    write(engine, (20, "next"))

    assert numbers(engine) == [1, 20]


def test_whoever_asks_in_the_transaction_sees_what_was_inserted(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(INSERT, {"number": 1, "name": "x"})
        seen = connection.scalar(text("SELECT count(*) FROM numbers"))
        connection.execute(INSERT, {"number": 2, "name": "x"})
        connection.rollback()

    assert seen == 1
    assert numbers(engine) == []


def test_what_was_only_held_is_forgotten_with_its_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(INSERT, {"number": 1, "name": "x"})
    write(engine, (2, "x"))

    assert numbers(engine) == [2]


def test_what_is_too_much_to_hold_is_sent_before_and_goes_with_its_transaction(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.database.one_trip.HELD_BYTES", 200)  # Two inserts and a half.
    write(engine, (1, "first"))

    with engine.connect() as connection:
        before = asked(connection)
        for number in range(10, 19):
            connection.execute(INSERT, {"number": number, "name": "x"})
        connection.commit()
        questions = asked(connection) - before - 1
    with pytest.raises(IntegrityError):
        write(engine, *((number, "x") for number in (20, 21, 22, 23, 24, 1)))
    write(engine, (30, "next"))

    assert 1 < questions < 9
    assert numbers(engine) == [1, *range(10, 19), 30]


def test_an_object_whose_number_the_database_gives_is_refused_aloud(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE OR REPLACE TABLE numbered (id INT AUTO_INCREMENT PRIMARY KEY)"))

    with Session(engine) as session:
        session.add(Numbered())
        with pytest.raises(FlushError):
            session.commit()

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM numbered")) == 0


def test_a_value_that_the_driver_does_not_know_is_refused(engine: Engine) -> None:
    class Word:
        def __str__(self) -> str:
            return "it's"

    with engine.connect() as connection, pytest.raises(TypeError, match="converter"):
        connection.execute(text("SELECT :word"), {"word": Word()})


def test_a_text_is_kept_as_it_is(engine: Engine) -> None:
    write(engine, (1, NASTY), (2, "\\"), (3, "'"))

    with engine.connect() as connection:
        kept = [name for (name,) in connection.execute(text("SELECT name FROM numbers ORDER BY number"))]
        found = connection.scalar(text("SELECT number FROM numbers WHERE name = :name"), {"name": NASTY})

    assert kept == [NASTY, "\\", "'"]
    assert found == 1


@pytest.mark.parametrize("one_trip", [False, True])
def test_connections_share_what_they_need_for_tls(lab: Lab, one_trip: bool) -> None:
    several = open_engine(lab.mariadb.root_url, pool_size=2, one_trip=one_trip)
    with several.connect() as first, several.connect() as second:
        contexts = [one.connection.dbapi_connection.ctx for one in (first, second)]  # type: ignore[union-attr]
    several.dispose()

    assert contexts[0] is contexts[1]


class Encrypting(MariaDB):
    """A server that can do TLS, with a key that it makes itself."""

    def command(self) -> list[str]:
        return [option for option in super().command() if option != "--skip-ssl"]


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    server = Encrypting(tmp_path_factory.mktemp("encrypting"), Ports.free())
    server.start()
    assert within(60, server.answers), server.last_words()
    yield server
    server.stop()


@pytest.mark.parametrize("one_trip", [False, True])
def test_what_the_server_can_encrypt_is_encrypted(encrypting: MariaDB, one_trip: bool) -> None:
    engine = open_engine(encrypting.root_url, one_trip=one_trip)

    with engine.connect() as connection:
        cipher = connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
    engine.dispose()

    assert cipher


def test_a_certificate_that_is_to_be_checked_is_checked(encrypting: MariaDB) -> None:
    trusted = ssl.get_default_verify_paths().cafile or ""
    engine = open_engine(f"{encrypting.root_url}&ssl_ca={trusted}")

    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"), engine.connect():
        pass
