"""The packets with which HAProxy asks a node of a Galera cluster how it is: docker/databases.cfg."""

import re
import struct
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[2] / "docker/databases.cfg"
SENT = [bytes.fromhex(one) for one in re.findall(r"send-binary ([0-9a-f]+)", CONFIG.read_text())]
NEEDED = 0x200 | 0x8000 | 0x80000  # Protocol 4.1, secure connection, plugin authentication.


def body(packet: bytes, number: int) -> bytes:
    """The packet without its head, which has its length and its place in the exchange."""
    assert (int.from_bytes(packet[:3], "little"), packet[3]) == (len(packet) - 4, number)
    return packet[4:]


def test_the_login_is_that_of_an_account_without_a_password() -> None:
    login = body(SENT[0], 1)
    abilities, _, _ = struct.unpack_from("<IIB", login)

    assert abilities & NEEDED == NEEDED
    assert login[32:] == b"health\0\0mysql_native_password\0"


def test_the_query_is_the_one_in_the_comment() -> None:
    query = body(SENT[1], 0)
    comment = " ".join(re.findall(r"^    #   (.*)$", CONFIG.read_text(), re.MULTILINE))

    assert query == b"\x03" + comment.encode()


def test_the_session_is_ended() -> None:
    assert body(SENT[2], 0) == b"\x01"
