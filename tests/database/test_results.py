"""A result is the same as PyMySQL's, except that a DATETIME is aware: values of every type and length."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.connections import MAX_PACKET_LEN
from pymysql.constants import COMMAND
from pymysql.protocol import MysqlPacket

from lab.accounts import password
from lab.database_server import DatabaseServer
from lab.ports import HOST
from orders_service.database.one_trip import GuardedConnection
from orders_service.database.results import RESULTS, Result, _columns

pytestmark = pytest.mark.real

Both = tuple[Any, Any]
TYPES = (
    "CAST(-7 AS SIGNED), CAST(18446744073709551615 AS UNSIGNED), 1.5e300, CAST(1.25 AS DECIMAL(9,4)), TRUE",
    "CAST('2026-11-24 07:06:15.292001' AS DATETIME(6)), CAST('2026-11-24 07:06:15' AS DATETIME)",
    "CAST('2026-11-24 07:06:15.29' AS DATETIME(2)), DATE '2026-11-24', TIME '-12:34:56', NULL",
    "CAST('0000-00-00 00:00:00' AS DATETIME), CAST('0000-00-00' AS DATE)",
    "'', ' ', 'é한국어🙂', X'00ff', CAST('bytes' AS BINARY), b'101', JSON_OBJECT('a', 'b\\\"')",
    "CAST('text' AS CHAR), _latin1'caf\xe9', POINT(1, 2), UUID_SHORT() > 0, YEAR('2026-01-01')",
)


@pytest.fixture(scope="module")
def address(server: DatabaseServer) -> dict[str, Any]:
    """How root connects to the server."""
    with closing(server.connect()) as root:
        root.cursor().execute("SET GLOBAL max_allowed_packet = 67108864")
    login = {"user": "root", "password": password("root"), "ssl_disabled": True}
    return {"host": HOST, "port": server.ports[0], "charset": "utf8mb4", "database": "mysql"} | login


@pytest.fixture(scope="module")
def both(address: dict[str, Any]) -> Iterator[Both]:
    """PyMySQL's connection and ours."""
    with closing(pymysql.connect(**address)) as theirs, closing(own(address)) as ours:
        for connection in (theirs, ours):
            connection.cursor().execute("SET sql_mode = ''")
        yield theirs, ours


def own(address: dict[str, Any]) -> Any:
    """Our connection, without the settings of our sessions."""
    connection = GuardedConnection(**address)
    connection._set_up = False
    return connection


def results(both: Both, query: str) -> list[tuple[Any, Any]]:
    """The rows, with aware instants, and their description, of both connections."""
    found = []
    for connection in both:
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows = [tuple(map(aware, row)) for row in cursor.fetchall()]
            found.append((rows, cursor.description))
    return found


def aware(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


@pytest.mark.parametrize("values", TYPES)
def test_a_row_is_pymysqls_row(both: Both, values: str) -> None:
    theirs, ours = results(both, f"SELECT {values}")

    assert ours == theirs
    assert [type(value) for value in ours[0][0]] == [type(value) for value in theirs[0][0]]


@pytest.mark.parametrize("length", [0, 250, 251, 252, 65_535, 65_536])
def test_a_value_of_any_length_is_whole(both: Both, length: int) -> None:
    theirs, ours = results(both, f"SELECT 1, REPEAT('x', {length}), REPEAT('é', {length}), 2")

    assert ours == theirs


@pytest.mark.parametrize("beyond", [-5, -4, 0, 1])
def test_a_row_of_more_than_one_packet_is_whole(both: Both, beyond: int) -> None:
    theirs, ours = results(both, f"SELECT REPEAT('x', {MAX_PACKET_LEN + beyond}), 2")

    assert ours == theirs
    assert len(ours[0][0][0]) == MAX_PACKET_LEN + beyond


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | st.text(max_size=300), min_size=1, max_size=20))
def test_any_texts_come_back(both: Both, texts: list[str | None]) -> None:
    literals = (f"_utf8mb4 X'{text.encode().hex()}'" if text is not None else "NULL" for text in texts)
    rows = " UNION ALL ".join(f"SELECT {number}, {text}" for number, text in enumerate(literals))
    theirs, ours = results(both, rows)

    assert ours == theirs


def test_no_row_and_many_rows(both: Both) -> None:
    for count in (0, 1, 300):
        theirs, ours = results(both, f"SELECT seq, 'row' FROM seq_1_to_1000 LIMIT {count}")
        assert ours == theirs
        assert len(ours[0]) == count


def test_an_error_behind_the_first_rows_is_raised_and_the_connection_goes_on(both: Both) -> None:
    for connection in both:
        with connection.cursor() as cursor, pytest.raises(pymysql.OperationalError) as caught:
            cursor.execute(
                "SET STATEMENT max_statement_time = 0.3 FOR"
                " SELECT seq, IF(seq > 9000, SLEEP(0.01), REPEAT('x', 1000)) FROM seq_1_to_10000"
            )
        assert caught.value.args[0] in (1028, 1969)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == ((1,),)


def test_a_packet_out_of_its_order_closes_the_connection(address: dict[str, Any]) -> None:
    lost = own(address)
    lost._execute_command(COMMAND.COM_QUERY, "SELECT 1")
    first = lost._read_packet()
    lost._next_seq_id = 77
    result: Any = Result(lost)

    with pytest.raises(pymysql.OperationalError, match="Lost connection"):
        result._read_result_packet(first)

    assert not lost.open


def test_the_columns_of_a_result_are_read_once(both: Both) -> None:
    _, ours = both
    _columns.cache_clear()
    for _ in range(3):
        with ours.cursor() as cursor:
            cursor.execute("SELECT 1")

    assert _columns.cache_info()[:3] == (2, 1, RESULTS)


class Wire:
    """A connection on which these packets arrive."""

    def __init__(self, *packets: bytes) -> None:
        self.is_open = True
        self._next_seq_id = 0
        numbered = enumerate(packets)
        sent = (len(each).to_bytes(3, "little") + bytes([n]) + each for n, each in numbered)
        self._bytes = BytesIO(b"".join(sent))

    def _read_bytes(self, size: int) -> bytes:
        return self._bytes.read(size)

    def _force_close(self) -> None:
        self.is_open = False


COLUMN = b"\x03def" + 4 * b"\x00" + b"\x01a" + b"\x0c\x21\x00" + b"\x00\x00\x00\x00" + b"\xfd" + 5 * b"\x00"
END_OF_COLUMNS = b"\xfe\x00\x00\x02\x00"
REFUSED = b"\xff" + (1317).to_bytes(2, "little") + b"#70100Query execution was interrupted"


@pytest.mark.parametrize("before", range(4))
def test_the_servers_error_is_raised_wherever_it_comes(before: int) -> None:
    wire: Any = Wire(*(COLUMN, END_OF_COLUMNS, b"\x01x")[:before], REFUSED)
    result: Any = Result(wire)

    with pytest.raises(pymysql.Error, match="interrupted"):
        result._read_result_packet(MysqlPacket(b"\x01", None))

    assert wire.is_open


@pytest.mark.parametrize(
    "packets",
    [(COLUMN, b"\x01x"), (COLUMN, END_OF_COLUMNS, b"\xfdx"), (COLUMN, END_OF_COLUMNS, b"\x01\xff")],
    ids=["no end of the columns", "half a length", "not UTF-8"],
)
def test_a_result_that_cannot_be_read_closes_the_connection(packets: tuple[bytes, ...]) -> None:
    wire: Any = Wire(*packets)
    result: Any = Result(wire)

    with pytest.raises((AssertionError, IndexError, UnicodeDecodeError)):
        result._read_result_packet(MysqlPacket(b"\x01", None))

    assert not wire.is_open
