"""What goes wrong while connecting is the database's: one line, no traceback, and it is tried again."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
from click.testing import CliRunner
from nacl.bindings import crypto_hash_sha512
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, StatementError
from sqlalchemy.orm import Session

from lab import Lab
from lab.database_server import DatabaseServer
from orders_service.api.app import create_app
from orders_service.commands.doctor.databases import DatabaseChecks
from orders_service.commands.doctor.finding import Level
from orders_service.commands.migrate import main as migrate
from orders_service.database.engines import open_engine
from orders_service.database.errors import in_short
from orders_service.settings import Settings
from rig.databases import Databases, databases_in
from tests.flow_kit import Flow

GREETING = (
    b"\x0a5.5.5-11.4.5-MariaDB\0"
    + b"\1\0\0\0"
    + b"12345678\0"
    + b"\xff\xf7"
    + b"\x21"
    + b"\2\0"
    + b"\xff\x81"
) + (b"\x15" + b"\0" * 10 + b"123456789012\0" + b"mysql_native_password\0")


@contextmanager
def answering(*packets: bytes, hear: Callable[[bytes], None] = lambda _: None) -> Iterator[str]:
    """A server that greets, and answers each packet of a client with the next of *packets*. Its URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                number = 0
                for packet in packets:
                    client.sendall(len(packet).to_bytes(3, "little") + bytes([number]) + packet)
                    heard = client.recv(65536)
                    if not heard:
                        break
                    number = heard[3] + 1
                    hear(heard[4:])

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    yield f"mariadb+pymysql://kim:s3cret@127.0.0.1:{server.getsockname()[1]}/orders"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    serving.join(10)


def switch_to(plugin: str) -> bytes:
    return b"\xfe" + plugin.encode() + b"\0" + b"s" * 20 + b"\0"


SERVERS = {
    "an old protocol": (b"\x09old\0",),
    "nonsense": (b"\x0a" + b"\xff" * 3,),
    "nothing": (b"",),
    "http": (b"HTTP/1.1 400 Bad Request",),
    "gssapi": (GREETING, switch_to("auth_gssapi_client")),
    "pam": (GREETING, switch_to("dialog")),
    "sha256": (GREETING, switch_to("sha256_password"), b"\x01"),
    "caching_sha2": (GREETING, switch_to("caching_sha2_password"), b"\x01\x04", b"\x01not a key"),
    "unknown": (GREETING, switch_to("no_such_plugin")),
}


@pytest.mark.parametrize("packets", SERVERS.values(), ids=SERVERS.keys())
@pytest.mark.parametrize("one_trip", [False, True], ids=["plain", "one trip"])
def test_every_error_of_connecting_is_the_databases(packets: tuple[bytes, ...], one_trip: bool) -> None:
    with answering(*packets) as url:
        engine = open_engine(url, one_trip=one_trip)

        with pytest.raises(OperationalError) as caught, engine.connect():
            pass

    assert "\n" not in in_short(caught.value)
    engine.dispose()


@pytest.mark.parametrize("options", ["?ssl_ca=/nowhere/ca.pem", "?no_such_option=1"])
def test_options_that_cannot_be_used_are_told_in_one_line(options: str) -> None:
    engine = open_engine(f"mariadb+pymysql://kim:s3cret@127.0.0.1:1/orders{options}")

    with pytest.raises(OperationalError, match="cannot connect") as caught, engine.connect():
        pass

    assert "s3cret" not in str(caught.value)


def test_the_api_answers_503_and_doctor_and_migrate_say_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(*SERVERS["gssapi"]) as url:
        environment = {"ORDERS_DATABASE_URL": url, "CATALOG_DATABASE_URL": f"{url}_too"}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings = Settings.read()

        shown = create_app(settings).test_client().get("/order-service/kim/orders/1")
        finding = DatabaseChecks("orders", settings).reached()
        migrated = CliRunner().invoke(migrate)

    assert (shown.status_code, shown.get_json()["type"]) == (503, "/problems/database-unavailable")
    assert "Traceback" not in caplog.text
    assert (finding.level, "\n" in finding.seen) == (Level.AWAY, False)
    assert "ORDERS_DATABASE_URL" in finding.do
    assert (migrated.exit_code, migrated.output.count("\n")) == (1, 1)
    assert "s3cret" not in migrated.output + finding.seen


def test_a_password_is_proved_as_ed25519_wants_it() -> None:
    heard: list[bytes] = []
    with answering(
        GREETING, b"\xfeclient_ed25519\0" + b"n" * 32, b"\xff\x15\x04#28000no", hear=heard.append
    ) as url:
        engine = open_engine(url)
        with pytest.raises(OperationalError, match="no"), engine.connect():
            pass

    assert len(heard[1]) == 64
    assert heard[1] != crypto_hash_sha512(b"s3cret")


@pytest.mark.real
def test_an_account_of_ed25519_is_let_in(lab: Lab) -> None:
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("INSTALL SONAME 'auth_ed25519'")
        except pymysql.Error as error:
            if error.args[0] != 1968:  # Installed already.
                pytest.skip(f"this MariaDB comes without the plugin: {error.args[1]}")
        cursor.execute("CREATE OR REPLACE USER signed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')")
    url = make_url(lab.mariadb.root_url).set(username="signed", password="s3cret")
    for one_trip in (False, True):
        engine = open_engine(url.render_as_string(hide_password=False), one_trip=one_trip)
        with engine.connect() as session:
            assert session.execute(text("SELECT current_user()")).scalar() == "signed@%"
        engine.dispose()


@pytest.mark.real
def test_a_server_of_another_mode_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    everything = (
        "ORACLE,ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
        "ONLY_FULL_GROUP_BY,SIMULTANEOUS_ASSIGNMENT,EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH,REAL_AS_FLOAT,"
        "NO_UNSIGNED_SUBTRACTION,TIME_ROUND_FRACTIONAL"
    )
    with in_global_mode(lab.mariadb, everything), databases_in(lab) as databases:
        flow = Flow(databases, tmp_path)
        order = flow.place(key="it's\\a-key")
        flow.run()
        assert flow.status(order) == "CONFIRMED"
        flow.cancel(order)
        flow.run()
        flow.assert_stock_adds_up()
        flow.close()


@contextmanager
def in_global_mode(server: DatabaseServer, mode: str) -> Iterator[None]:
    """Sessions that begin meanwhile have this mode."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.sql_mode")
        (before,) = cursor.fetchone() or ("",)
        cursor.execute("SET GLOBAL sql_mode = %s", (mode,))
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL sql_mode = %s", (before,))


def test_an_error_holds_neither_statement_nor_values(databases: Databases) -> None:
    secret = "kim@example.org"
    with Session(databases.orders) as session:
        with pytest.raises(StatementError) as caught:
            session.execute(text("SELECT nothing FROM nowhere WHERE user_id = :u"), {"u": secret})
        session.rollback()
        query = text("INSERT INTO leases (lane, owner, expires_at) VALUES (:lane, 'x', '2026-01-01')")
        session.execute(query, {"lane": secret})
        with pytest.raises(IntegrityError) as twin:
            session.execute(query, {"lane": secret})
        session.rollback()
        query = text("UPDATE leases SET expires_at = :lane")
        errors = [caught.value, twin.value]
        if databases.orders.dialect.name != "sqlite":
            session.execute(text("INSERT INTO leases VALUES ('a', 'b', '2026-01-01')"))
            with pytest.raises((DataError, OperationalError)) as wrong:
                session.execute(query, {"lane": secret})
            errors.append(wrong.value)

    for error in errors:
        for told in (str(error), repr(error), in_short(error)):
            assert secret not in told
            assert "SQL:" not in told
            assert "parameters" not in told
            assert "sqlalche.me" not in told
