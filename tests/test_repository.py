"""The repository as a stranger finds it: links, named tests, versions of Python, sizes."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "docker/*.md", "config/**/*.md")
    for page in ROOT.glob(pattern)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TEST_FILE = re.compile(r"tests/[\w/]+\.py")
TEST_NAME = re.compile(r"::(test_\w+)")
# Lines that a file of these folders may have, and a function of the package.
FILE_MAX = {"orders_service": 250, "lab": 300, "bench": 300, "rig": 300, "docker": 300, "tests": 450}
FUNCTION_MAX = 40


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = CODE_BLOCK.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = [
        link for link in LINK.findall(CODE_BLOCK.sub("", page.read_text())) if not re.match(r"[a-z]+:", link)
    ]

    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    names = set(TEST_NAME.findall(text))

    defined = {
        name
        for file in ROOT.glob("tests/**/*.py")
        for name in re.findall(r"^ *def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    assert sorted(names - defined) == []
    assert [file for file in TEST_FILE.findall(text) if not (ROOT / file).exists()] == []


def test_ci_and_the_package_name_the_same_versions_of_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    script = (ROOT / ".ci/run").read_text()

    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    matrix = re.findall(r'"(3\.\d+)"', workflow)
    looped = re.findall(r"\b3\.\d+\b", re.findall(r"^for version in (.+); do$", script, re.MULTILINE)[0])

    assert matrix == looped
    assert classified == matrix
    assert project["requires-python"] == f">={matrix[0]}"


def test_the_license_is_named_and_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_hook_of_pre_commit_is_a_step_of_make_check() -> None:
    hooks = re.findall(r"entry: \.venv/bin/(\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    # A make that started these tests hands its variables on. Those of the command line come first.
    command = ["make", "--dry-run", "VENV=.venv", "check"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    checked = set(re.findall(r"\.venv/bin/(ruff|mypy|lint-imports|pytest)\b", printed))

    assert set(hooks) == checked


def modules(folder: str) -> list[Path]:
    """The Python files that Git keeps in *folder*."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", f"{folder}/*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.parametrize(("folder", "limit"), FILE_MAX.items(), ids=FILE_MAX)
def test_no_file_is_too_long_to_be_read_at_once(folder: str, limit: int) -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in modules(folder)}

    assert {name: count for name, count in lines.items() if count > limit} == {}


def test_no_function_of_the_package_is_too_long_to_be_read_at_once() -> None:
    lines = {
        f"{file.relative_to(ROOT)}::{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in modules("orders_service")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: count for name, count in lines.items() if count > FUNCTION_MAX} == {}
