"""Reads the rows of a query in less than half of PyMySQL's time: fewer calls, and columns known before."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import pymysql
from pymysql import converters
from pymysql.connections import MAX_PACKET_LEN, TEXT_TYPES, MySQLResult
from pymysql.constants.CR import CR_SERVER_LOST
from pymysql.protocol import EOFPacketWrapper, FieldDescriptorPacket, MysqlPacket

BINARY = 63  # The number of the character set of bytes.
NULL, TWO_BYTES, END, ERROR = 0xFB, 0xFC, 0xFE, 0xFF  # First bytes of a value's length, or of a packet.
LENGTH_BYTES = {TWO_BYTES: 2, 0xFD: 3, 0xFE: 8}
END_BYTES = 9  # A packet that begins with END and is not shorter than this is a row.
RESULTS = 256  # Different results whose columns are remembered: the service has some fifty.

Reader = Callable[[bytes], Any]


class Result(MySQLResult):
    """A query result that keeps the status flags sent after the rows. PyMySQL drops them."""

    status_behind_rows: int | None = None
    connection: Any
    _readers: Sequence[Reader]

    def _get_descriptions(self) -> None:
        packets = [_body(self.connection) for _ in range(self.field_count + 1)]
        for packet in packets:
            _raise_if_error(packet)
        self.description, self._readers = _columns(tuple(packets[:-1]))

    def _read_rowdata_packet(self) -> None:
        rows = []
        while True:
            packet = _body(self.connection)
            if packet[0] >= END:
                _raise_if_error(packet)
                if self._check_packet_is_eof(MysqlPacket(packet, None)):
                    break
            rows.append(_row(packet, self._readers))
        self.affected_rows = len(rows)
        self.rows = tuple(rows)

    def _read_row_from_packet(self, packet: Any) -> tuple[Any, ...]:
        return _row(packet.get_all_data(), self._readers)

    def _check_packet_is_eof(self, packet: Any) -> bool:
        if not packet.is_eof_packet():
            return False
        end = EOFPacketWrapper(packet)
        self.warning_count, self.has_next = end.warning_count, end.has_next
        self.status_behind_rows = end.server_status
        return True


def _body(connection: Any) -> bytes:
    """The next packet, without its header. The time-out is that of the result's first packet."""
    header: bytes = connection._read_bytes(4)
    size, number = int.from_bytes(header[:3], "little"), header[3]
    if number != connection._next_seq_id:
        connection._force_close()
        raise pymysql.OperationalError(CR_SERVER_LOST, "Lost connection to MariaDB during query")
    connection._next_seq_id = (number + 1) % 256
    body: bytes = connection._read_bytes(size)
    return body + _body(connection) if size == MAX_PACKET_LEN else body


def _raise_if_error(packet: bytes) -> None:
    if packet[0] == ERROR:
        MysqlPacket(packet, None).raise_for_error()


def _row(packet: bytes, readers: Sequence[Reader]) -> tuple[Any, ...]:
    """The values of a row. Each begins with its length in one byte, or says how many bytes that has."""
    row: list[Any] = []
    at = 0
    for read in readers:
        size = packet[at]
        at += 1
        if size >= NULL:
            if size == NULL:
                row.append(None)
                continue
            more = LENGTH_BYTES[size]
            size = int.from_bytes(packet[at : at + more], "little")
            at += more
        row.append(read(packet[at : at + size]))
        at += size
    return tuple(row)


@lru_cache(maxsize=RESULTS)
def _columns(packets: tuple[bytes, ...]) -> tuple[Sequence[Any], Sequence[Reader]]:
    """The description of the columns (PEP 249), and how the values of each are read."""
    fields: list[Any] = [FieldDescriptorPacket(packet, "utf8") for packet in packets]
    return tuple(field.description() for field in fields), [_reader(field) for field in fields]


def _reader(field: Any) -> Reader:
    """How the values of a column are read: as PyMySQL does, but that a DATETIME is aware."""
    is_text = field.type_code not in TEXT_TYPES or field.charsetnr != BINARY
    convert = converters.decoders.get(field.type_code, converters.through)
    if convert is converters.convert_datetime:
        return _instant
    if convert in (int, float):
        return convert  # They read bytes, too.
    if convert is converters.through:
        return bytes.decode if is_text else _same
    return (lambda value: convert(value.decode())) if is_text else convert


def _instant(value: bytes) -> Any:
    """A DATETIME, which is in UTC in our tables. What is none is read as PyMySQL does.

    Its regular expression takes five times as long, and so does `replace(tzinfo=UTC)` afterwards.
    """
    text = value.decode()
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return converters.convert_datetime(text)


def _same(value: bytes) -> bytes:
    return value
