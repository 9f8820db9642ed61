"""Text from outside: nothing moves a cursor or begins a line, and no password is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.printable import KEPT, printable, printable_lines, safe, without_passwords


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("one\ntwo\r\n", r"one\ntwo\r\n"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\0\x7f\ufeff", r"\x00\x7f\ufeff"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, seen: str) -> None:
    assert printable(text) == seen


@pytest.mark.parametrize("text", ["", "plain", "제품 🙂", "Σ ≠ →", "C:\\new", "CÁTALOG"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_one_line_that_can_be_written(text: str) -> None:
    seen = printable(text)

    assert seen.isprintable()
    assert len(seen.splitlines()) <= 1
    seen.encode()


def test_lines_of_ours_stay_lines() -> None:
    assert printable_lines("Traceback\n  one\x1b[2J\n") == "Traceback\n  one\\x1b[2J\n"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("http://admin:s3cret@host/x", "http://***@host/x"),
        ("mariadb+pymysql://o:s3/c@r#e?t@db:3306/orders", "mariadb+pymysql://***@db:3306/orders"),
        ("at http://s3cret@a: no, at http://u:s3cret@b.", "at http://***@a: no, at http://***@b."),
        ("'http://u:s3cret@a/'", "'http://***@a/'"),
        ("kafka://u:s3cret@a:1,kafka://u:s3cret@b:2", "kafka://***@b:2"),
        ("jdbc:mariadb://h/d?user=u&password=s3cret&x=1", "jdbc:mariadb://h/d?user=u&password=***&x=1"),
        ('username="u" password="s3 cret";', 'username="u" password=***;'),
        ('{"connection.password": "s3cret", "x": 1}', '{"connection.password": ***, "x": 1}'),
        ("KAFKA_PASSWORD=s3cret", "KAFKA_PASSWORD=***"),
        ("Access denied for user 'o'@'h' (using password: YES)",) * 2,
        ("kim@example.com // x",) * 2,
    ],
)
def test_no_password_is_shown(text: str, seen: str) -> None:
    assert without_passwords(text) == seen


def test_what_is_safe_is_both() -> None:
    assert safe("http://u:s3cret@h/\x1b[2J\nnext") == "http://***@h/\\x1b[2J\nnext"


def test_more_kinds_of_characters_than_are_kept_are_shown_alike() -> None:
    text = "".join(map(chr, range(0, 0x110000, 41)))

    shown = printable(text)

    assert shown == "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    assert len(set(text)) > KEPT
