"""The course's page: what it leads to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/course.md").read_text()
PACKAGE = ROOT / "orders_service"
FILE = re.compile(r"`((?:[\w-]+/)*[\w.-]+\.(?:py|cfg|env))`")
# A name and the file that defines it: `place` in `orders/service.py`.
DEFINED = re.compile(r"`(\w+)`(?: in |, in |:? ?)`((?:\w+/)*\w+\.py)`")


def section(title: str) -> str:
    """The text of a section of the page."""
    return re.split(r"^## ", PAGE.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


SPRING = section("For those who come from Spring")
EDITIONS = section("Editions")
NAMED = sorted(set(DEFINED.findall(SPRING)))


@pytest.mark.parametrize("name", sorted(set(FILE.findall(SPRING + EDITIONS))))
def test_a_file_that_the_page_names_exists(name: str) -> None:
    assert (ROOT / name).is_file() or (PACKAGE / name).is_file()


@pytest.mark.parametrize(("name", "path"), NAMED, ids=lambda value: value)
def test_a_name_is_defined_where_the_page_says(name: str, path: str) -> None:
    assert re.search(rf"^(?:def|class) {name}\b", (PACKAGE / path).read_text(), re.MULTILINE)


def test_the_spring_table_leads_to_the_code() -> None:
    subjects = ("@RestController", "JpaRepository", "KafkaTemplate.send", "@KafkaListener", "application.yml")

    assert [subject for subject in (*subjects, "Eureka", "Gateway") if subject not in SPRING] == []
    assert len(NAMED) >= 15


def test_the_page_names_the_settings_of_every_edition() -> None:
    files = {f"config/editions/{path.name}" for path in (ROOT / "config/editions").iterdir()}

    assert files == set(re.findall(r"`(config/editions/[\w.-]+)`", EDITIONS))
