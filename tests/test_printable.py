"""`printable`: nothing that comes from outside moves a cursor or begins a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.printable import printable, printable_lines


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
