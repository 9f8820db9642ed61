"""What `top` draws: within 80 columns and 24 rows, also in ASCII and without colours."""

import pytest

from orders_service.commands.top.glyphs import ASCII, UNICODE, of_terminal
from orders_service.commands.top.screen import Look, lines
from tests.commands.top.pictures import in_trouble, picture

PLAIN = Look(colours=False)
FOOT = "q quit   p pause"


def text_of(drawn: list[str]) -> str:
    return "\n".join(drawn)


@pytest.mark.parametrize("shown", [picture(), in_trouble()], ids=["well", "trouble"])
def test_it_fits_into_80_columns_and_24_rows(shown: dict[str, object]) -> None:
    drawn = lines(shown, PLAIN, foot=FOOT)

    assert len(drawn) <= 24
    assert max(map(len, drawn)) <= 80
    assert drawn[-1] == FOOT
    assert "stock    4,174 in stock + 826 reserved = 5,000 supplied ✔" in drawn


def test_trouble_is_named_with_its_command() -> None:
    drawn = lines(in_trouble(), PLAIN)

    assert "✘ 38 orders wait for the catalog" in drawn
    assert "  $ orders-service stock-consumer" in drawn
    (row,) = [line for line in drawn if line.startswith("✘ Catalog")]
    assert row.split() == ["✘", "Catalog", "3.2", "38", "records", "12.1", "s", "nobody"]
    assert "last error  Catalog, 13:41:07: unreadable" in drawn
    assert "╌" in text_of(drawn)


def test_a_station_that_does_not_answer_says_so_and_the_others_go_on() -> None:
    unknown = {"state": "unknown", "problem": "The catalog database does not answer."}

    drawn = lines(picture(catalog=unknown), PLAIN)

    assert "◌ Catalog    The catalog database does not answer." in drawn
    assert sum(line.startswith("● ") for line in drawn) == 4


def test_parts_that_are_not_known_are_left_out() -> None:
    nothing = dict.fromkeys(("recent", "stock", "answers", "deadLetters"))

    assert "supplied" not in text_of(lines(picture() | nothing, PLAIN))


def test_nothing_is_said_by_colour_alone() -> None:
    coloured = text_of(lines(in_trouble(), Look()))
    plain = text_of(lines(in_trouble(), PLAIN))

    assert "\x1b[" in coloured
    assert "\x1b" not in plain


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_ascii_is_as_wide(columns: int) -> None:
    drawn = lines(in_trouble(), Look(columns, glyphs=ASCII, colours=False))

    assert text_of(drawn).isascii()
    assert max(map(len, drawn)) <= columns


def test_text_from_outside_cannot_rule_the_terminal() -> None:
    hostile = "\x1b]0;title\x07\nforged\u202e 주문"

    drawn = text_of(lines(in_trouble(error=hostile, held_by=hostile), PLAIN))

    assert not any(sign in drawn for sign in "\x1b\x07\u202e")
    assert "forged" not in [line.split(" ")[0] for line in drawn.splitlines()]


@pytest.mark.parametrize(
    ("encoding", "environment", "expected"),
    [
        ("utf-8", {"LANG": "de_DE.UTF-8", "TERM": "xterm-256color"}, UNICODE),
        ("utf-8", {}, UNICODE),
        ("utf-8", {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, ASCII),
        ("utf-8", {"TERM": "linux"}, ASCII),
        ("iso-8859-1", {"TERM": "xterm"}, ASCII),
        ("ascii_terminal", {}, ASCII),
        (None, {}, ASCII),
    ],
)
def test_a_terminal_without_the_glyphs_gets_ascii(
    encoding: str | None, environment: dict[str, str], expected: object
) -> None:
    assert of_terminal(encoding, environment) is expected
