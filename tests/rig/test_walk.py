"""The walk along a page: what it types, what it compares, and what it finds."""

from pathlib import Path

import pytest

from rig.walk import blocks, walk
from rig.walk.comparison import Names
from rig.walk.page import Kind

ID, OTHER = "633edd0f-f835-56af-9909-ce642aef378c", "0a5c005b-5c90-4cff-bc01-67476edbd86d"
PAGE = """
```console reader
$ cat \\
    --number
> one
     1  one
^D
```

```json
{"not": "walked"}
```

```console
1 line
```
"""


def page(*lines: str, terminal: str = "") -> str:
    return "\n".join([f"```console {terminal}".strip(), *lines, "```", ""])


def test_a_block_is_what_is_typed_and_what_is_shown() -> None:
    first, second = blocks(PAGE)

    assert (first.terminal, second.terminal) == ("reader", "first")
    assert [step.kind for step in first.steps] == [Kind.COMMAND, Kind.INPUT, Kind.KEY]
    assert first.steps[0].typed == "cat \\\n    --number"
    assert first.steps[1].shown == ["     1  one"]
    assert [step.kind for step in second.steps] == [Kind.LOOK]


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        ("created at 2026-11-30 07:01:14.123456", "created at 2027-01-02 03:04:05.678901"),
        ("answers after 0.3 s", "answers after 12.7 s"),
        ('{"qty":1,…}', '{"qty":1,"status":"PENDING"}'),
        ("a  b", "a\tb"),
    ],
)
def test_what_changes_is_not_compared(shown: str, came: str) -> None:
    assert Names({}).match([shown], [came], complete=True)


@pytest.mark.parametrize(("shown", "came"), [("stock 80", "stock 81"), ("[a]", "a"), ("12 s", "12 m")])
def test_what_does_not_change_is_compared(shown: str, came: str) -> None:
    assert not Names({}).match([shown], [came], complete=True)


def test_an_id_that_the_page_repeats_must_come_again() -> None:
    names = Names({})

    assert names.match([f"order {ID}"], [f"order {OTHER}"], complete=True)
    assert names.replaced(f"get {ID}") == f"get {OTHER}"
    assert names.match([ID], [OTHER], complete=True)
    assert not names.match([ID], [ID], complete=True)


def test_a_port_is_not_replaced_within_a_longer_number_or_an_id() -> None:
    names = Names({"8000": "21000", "/tmp/": "/elsewhere/"})

    assert names.replaced("at :8000/ in /tmp/x") == "at :21000/ in /elsewhere/x"
    assert names.replaced("18000 633edd0f-8000-56af") == "18000 633edd0f-8000-56af"


def test_a_gap_stands_for_any_lines_and_only_a_running_program_may_print_more() -> None:
    names = Names({"8000": "21000"})

    assert names.match(["…", "at 8000", "…"], ["one", "two", "at 21000"], complete=True)
    assert names.match(["one"], ["one", "two"], complete=False)
    assert not names.match(["one"], ["one", "two"], complete=True)


def test_a_true_page_is_walked_without_a_difference(tmp_path: Path) -> None:
    told: list[str] = []
    text = (
        page("$ . .venv/bin/activate", terminal="every")
        + page("$ python -c 'print(1 + 1)'", "2", "$ echo yes > /tmp/file")
        + page(
            "$ python -c 'while line := input(): print(line.upper())'", "> word", "WORD", terminal="reader"
        )
        + page("$ cat /tmp/file", "yes")
        + page("> again", "AGAIN", "^C", "…", "KeyboardInterrupt", "$ echo ready", "ready", terminal="reader")
    )

    found = walk(blocks(text), tmp_path, lambda step, _: told.append(step.typed))

    assert found == []
    assert len(told) == 10  # The second terminal has typed `every`, too.
    assert (tmp_path / "tmp/file").read_text() == "yes\n"


def test_what_is_typed_after_a_key_waits_for_the_end_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text("trap 'sleep 1; exit 3' INT; echo up; while true; do sleep 0.1; done")
    text = (
        page("$ sh ../slow", "up", terminal="one")
        + page("^C", terminal="one")
        + page("$ true", "$ echo next", "next", terminal="one")
    )

    assert walk(blocks(text), tmp_path) == []


def test_each_false_output_and_each_failure_is_found(tmp_path: Path) -> None:
    text = page("$ echo good", "good", "$ echo right", "wrong", "$ false", "$ cat nowhere")

    found = walk(blocks(text), tmp_path)

    assert [(one.line, one.exit_code) for one in found] == [(4, 0), (6, 1), (7, 1)]
    assert "wrong" in str(found[0])
    assert "right" in str(found[0])


def test_a_program_that_does_not_end_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.walk.walker.STEP_SECONDS", 0.2)

    found = walk(blocks(page("$ sleep 600", "$ echo next", "next")), tmp_path)

    assert [(one.line, one.exit_code) for one in found] == [(2, None)]


def test_a_key_that_ends_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.walk.walker.STEP_SECONDS", 1)
    ends_at_the_second_key = "keys=0; trap 'keys=$((keys + 1)); [ $keys -lt 2 ] || exit' INT\n"
    (tmp_path / "stubborn").write_text(f"{ends_at_the_second_key}echo up; while true; do sleep 0.1; done")
    text = page("$ sh ../stubborn", "up", terminal="one") + page("^C", terminal="one")

    found = walk(blocks(text), tmp_path)

    assert [(one.typed, one.exit_code) for one in found] == [("\x03", None)]
