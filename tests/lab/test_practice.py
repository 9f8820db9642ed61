"""The course's practice, from Kafka's tools to one table behind a sink."""

import io
import re
from collections.abc import Iterator

import httpx
import pytest
from click.testing import CliRunner

from lab import Lab, Ports
from lab.__main__ import main
from lab.practice import STEPS, practice
from lab.practice.closing import LEARNT, summary
from lab.practice.leftovers import Things, made_by, on_the_lab
from lab.practice.opening import LOOK_AT
from lab.terminal import Terminal
from lab.typed import tool
from tests.lab.typist import CTRL_C, at_terminal

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def own(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of these tests' own: the practice removes what the whole suite shares."""
    del lab  # It says whether a lab can run here.
    with Lab(tmp_path_factory.mktemp("practice"), Ports.free(), connect=True) as own:
        yield own


def there(own: Lab) -> Things:
    """What is on the lab beside the servers' own."""
    found = on_the_lab(Terminal(own, io.StringIO()))
    topics = {
        name for name in found.topics if not name.startswith(("__consumer", "__transaction", "connect-"))
    }
    tables = {name for name in found.tables if name.startswith(("mydb.", "orders.", "catalog."))}
    return Things(found.connectors, frozenset(topics), found.groups, frozenset(tables))


class Watcher(io.StringIO):
    """A learner who opens each page that the practice names, as soon as it does."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[tuple[str, int]] = []

    def write(self, text: str) -> int:
        if found := re.search(r"watch +(http\S+)", text):
            answer = httpx.get(found[1], headers={"Accept": "text/html"}, timeout=30)
            self.pages.append((httpx.URL(found[1]).path.partition("/orders/")[0], answer.status_code))
        return super().write(text)


@pytest.mark.real
@pytest.mark.timeout(900)
def test_every_step_shows_what_a_learner_should_see_and_nothing_is_left(own: Lab) -> None:
    out = Watcher()

    walked = practice(own, out=out)

    assert walked, out.getvalue()
    assert out.getvalue().count("\n✔") == len(STEPS)
    assert "Where to look next" in out.getvalue()
    # One instance and an order in step 7, two instances in step 8, and two in step 9.
    assert out.pages == [("/ui", 200)] * 6
    assert there(own) == Things()
    with own.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create database mydb")  # As the learner does in step 2.
        cursor.execute("drop database mydb")


@pytest.mark.real
@pytest.mark.timeout(300)
def test_what_is_kept_is_removed_only_by_a_person_who_agrees(own: Lab) -> None:
    asked: list[str] = []
    terminal = Terminal(own, io.StringIO())

    def tables() -> set[str]:
        return {row[0] for row in terminal.rows("SHOW TABLES FROM mydb")}

    practice(own, [2], out=io.StringIO(), keep=True)
    kept = tables()

    def disagree(told: str) -> bool:
        asked.append(told)
        return False

    refused = not practice(own, [2], out=io.StringIO(), agree=disagree)
    after_refusal = tables()
    practice(own, [2], out=io.StringIO())

    assert kept == {"users", "orders"}
    assert refused
    assert "tables mydb.orders, mydb.users" in asked[0]
    assert after_refusal == kept
    assert tables() == set()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_learner_at_a_terminal_runs_each_command_with_enter(own: Lab) -> None:
    made = "SHOW TABLES FROM mydb"
    terminal = Terminal(own, io.StringIO())

    with at_terminal(tool(own, ["practice", "2", "--pause", "--yes"])) as typist:
        shown = [typist.read_until("Enter runs it ")]
        before = terminal.rows(made)
        typist.type("\n")
        shown.append(typist.read_until("Enter runs it "))
        after = terminal.rows(made)
        while "Where to look next" not in shown[-1]:
            typist.type("\n")
            shown.append(typist.read_until("Enter runs it |Where to look next"))
        code = typist.end()

    assert "look at     the tables" in shown[0]
    assert "$ python -m lab mariadb -e 'source config/mydb.sql'" in shown[0]
    assert all(re.search(r"\n  \$ .+\n    Enter runs it $", one) for one in shown[:-1])
    assert (before, after) == ([], [["orders"], ["users"]])
    assert code == 0
    assert there(own) == Things()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_learner_who_presses_ctrl_c_leaves_nothing(own: Lab) -> None:
    with at_terminal(tool(own, ["practice", "--from", "9", "--pause"])) as typist:
        shown = typist.read_until("Enter runs it ")
        typist.type("\n")
        typist.read_until("Enter runs it ")
        typist.type(CTRL_C)
        typist.read_until("Stopped.")
        code = typist.end()

    assert "\n9. " in shown
    assert "\n8. " not in shown
    assert code == 1
    assert there(own) == Things()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_the_steps_that_a_step_goes_on_from_are_run_before_it(own: Lab) -> None:
    out = io.StringIO()

    walked = practice(own, [6], out=out)

    assert walked, out.getvalue()
    assert "The source: a row becomes a record and The sink: a record becomes a row" in out.getvalue()
    assert out.getvalue().count("\n✔") == 1
    assert there(own) == Things()


def test_steps_and_a_first_step_are_not_taken_together() -> None:
    done = CliRunner().invoke(main, ["practice", "4", "--from", "5"])

    assert done.exit_code == 2
    assert "not both" in done.output


def test_each_step_says_what_to_look_at() -> None:
    assert LOOK_AT.keys() == set(range(1, len(STEPS) + 1))


def test_the_summary_has_a_sentence_for_each_step_that_was_walked() -> None:
    assert LEARNT.keys() == set(range(1, len(STEPS) + 1))
    assert "  4. " in summary([5, 4])
    assert "  6. " not in summary([5, 4])


def test_a_step_is_asked_about_only_what_it_removes() -> None:
    assert made_by([1]) == Things(topics=frozenset({"quickstart-events"}))
    assert made_by([7, 8]) == Things()
    assert str(made_by([5])).split("; ") == [
        "connector my-sink-connect",
        "topic my_topic_users",
        "group connect-my-sink-connect",
        "table mydb.my_topic_users",
    ]
