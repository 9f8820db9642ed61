"""The pages in two languages: both have the same headings, blocks, names, links, rows and items."""

import re
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Each page stands beside its translation: `README.md` and `README.ko.md`.
PAGES = ("README.md", "docs/course.md")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ .*$", re.MULTILINE)
NAME = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
TO_THE_OTHER = re.compile(r"^\[(?:English|한국어)\]\(([\w.]+)\)$", re.MULTILINE)
# A diagram's words are translated: the text in brackets, and the title of a group.
LABEL = re.compile(r"\[[^\]]*\]")


@pytest.fixture(params=PAGES)
def pair(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A page and its translation."""
    return ROOT / request.param, translation(ROOT / request.param)


def translation(page: Path) -> Path:
    """The Korean page beside *page*."""
    return page.with_suffix(".ko.md")


def blocks(page: Path) -> list[str]:
    """The blocks of a page; a diagram without its words."""
    found = FENCED.findall(page.read_text())
    return [LABEL.sub("[]", block) if block.startswith("```mermaid") else block for block in found]


def text(page: Path) -> str:
    """The page without its blocks and the line that leads to the other language."""
    return TO_THE_OTHER.sub("", FENCED.sub("", page.read_text()))


def sections(page: Path) -> list[str]:
    """The text below each heading."""
    return HEADING.split(text(page))


def links(part: str) -> list[str]:
    """The targets of the links and pictures, without their language.

    Headings are translated, so a link within the page is `#`.
    """
    targets = (link or source for link, source in LINK.findall(part))
    return sorted(re.sub(r"^#.*", "#", target.replace(".ko.md", ".md")) for target in targets)


def rows(part: str) -> list[int]:
    """The number of cells of each row of the tables."""
    return [len(re.findall(r"(?<!\\)\|", row)) - 1 for row in re.findall(r"^\|.*", part, re.MULTILINE)]


def items(part: str) -> int:
    """The number of items of the lists."""
    return len(re.findall(r"^\* ", part, re.MULTILINE))


def test_both_languages_have_the_same_headings(pair: tuple[Path, Path]) -> None:
    english, korean = ([found.split()[0] for found in HEADING.findall(text(page))] for page in pair)

    assert english == korean


def test_both_languages_have_the_same_blocks(pair: tuple[Path, Path]) -> None:
    pages = zip_longest(*(blocks(page) for page in pair), fillvalue="no block")

    assert [both for both in pages if both[0] != both[1]] == []


def test_each_section_has_the_same_names_links_rows_and_items_in_both_languages(
    pair: tuple[Path, Path],
) -> None:
    english, korean = (
        [(set(NAME.findall(part)), links(part), rows(part), items(part)) for part in sections(page)]
        for page in pair
    )

    assert english == korean


def test_each_language_leads_to_the_other_at_its_beginning(pair: tuple[Path, Path]) -> None:
    beginnings = [page.read_text().split("\n\n")[1] for page in pair]

    assert [TO_THE_OTHER.findall(beginning) for beginning in beginnings] == [[pair[1].name], [pair[0].name]]


def test_a_korean_page_links_to_korean_pages(pair: tuple[Path, Path]) -> None:
    korean = pair[1]
    parts = [{link for link, _ in LINK.findall(part)} for part in sections(korean)]

    # A section that leads to the Korean page may lead to the English one, too.
    forgotten = [
        link
        for part in parts
        for link in part
        if link.endswith(".md") and not link.endswith(".ko.md")
        if translation(korean.parent / link).exists() and link.replace(".md", ".ko.md") not in part
    ]

    assert forgotten == []


def test_every_korean_page_is_compared() -> None:
    folders = (ROOT, ROOT / "docs", ROOT / "docker", ROOT / "config")

    found = {page for folder in folders for page in folder.glob("*.ko.md")}

    assert found == {translation(ROOT / page) for page in PAGES}
