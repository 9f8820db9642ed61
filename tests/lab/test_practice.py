"""The course's practice, from Kafka's tools to one table behind a sink."""

import io
from collections.abc import Iterator

import pytest

from lab import Lab, Ports
from lab.practice import STEPS, practice
from lab.practice.closing import LEARNT, summary
from lab.practice.leftovers import Things, made_by, on_the_lab
from lab.terminal import Terminal


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


@pytest.mark.real
@pytest.mark.timeout(900)
def test_every_step_shows_what_a_learner_should_see_and_nothing_is_left(own: Lab) -> None:
    out = io.StringIO()

    walked = practice(own, out=out)

    assert walked, out.getvalue()
    assert out.getvalue().count("\n✔") == len(STEPS)
    assert "Where to look next" in out.getvalue()
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
def test_a_command_waits_until_the_learner_has_read_it(own: Lab) -> None:
    out = io.StringIO()
    last_shown: list[str] = []

    practice(own, [2], out=out, pause=lambda: last_shown.append(out.getvalue().splitlines()[-1]))

    assert len(last_shown) >= 3
    assert all(line.startswith("  $ ") for line in last_shown)


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
