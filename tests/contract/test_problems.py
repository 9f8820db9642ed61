"""The table of problem types, and the code that uses it."""

import re
from pathlib import Path

import pytest

from orders_service.api.problems import OF_HTTP_STATUS
from orders_service.api.serving.refusals import KNOWN
from orders_service.contract.problems import PROBLEMS, ProblemType

API = Path(__file__).resolve().parents[2] / "orders_service/api"


def test_every_problem_type_is_used_and_no_other() -> None:
    code = "".join(path.read_text() for path in API.rglob("*.py"))
    answered = re.findall(r'(?:problem|answer)\(\s*"([a-z-]+)"', code)
    slugs = {*answered, *OF_HTTP_STATUS.values(), *(slug for _, slug, _ in KNOWN)}

    assert slugs == PROBLEMS.keys()


def test_an_error_of_http_has_the_status_of_its_type() -> None:
    assert {status: PROBLEMS[slug].status for status, slug in OF_HTTP_STATUS.items()} == {
        status: status for status in OF_HTTP_STATUS
    }


@pytest.mark.parametrize("kind", PROBLEMS.values(), ids=lambda kind: kind.slug)
def test_a_problem_type_says_in_sentences_what_happened_and_what_to_do(kind: ProblemType) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", kind.slug)
    assert 400 <= kind.status <= 599
    assert kind.meaning.endswith(".")
    assert kind.remedy.endswith(".")
    assert not kind.title.endswith(".")
