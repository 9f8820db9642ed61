"""The written files are those that the code makes, and the service answers as they say."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.routing import Rule

from orders_service.api.app import PARAMETERS
from orders_service.contract.problems import PROBLEMS
from rig.documents.__main__ import FOLDER, ROOT, files
from rig.documents.identity import of_tokens
from rig.documents.openapi import METHODS, path_of
from rig.documents.operation import ALWAYS
from rig.documents.operations import OPERATIONS
from rig.documents.recording import Recording
from rig.documents.samples import DETAILS
from rig.documents.support import UNDOCUMENTED

API = ROOT / "orders_service/api"


@pytest.fixture(scope="module")
def document() -> Any:
    """The written OpenAPI document."""
    return json.loads((ROOT / FOLDER / "openapi.json").read_text())


def test_the_files_are_those_that_the_code_makes(recording: Recording) -> None:
    made = files(recording)

    different = [name for name, text in made.items() if not is_file_with(ROOT / name, text)]
    left = {str(path.relative_to(ROOT)) for path in (ROOT / FOLDER).rglob("*.json")} - made.keys()

    assert (different, left) == ([], set()), "run make contract, and commit the files"


def is_file_with(path: Path, text: str) -> bool:
    """Whether the file exists and has this text."""
    return path.exists() and path.read_text() == text


def test_the_openapi_document_is_valid(document: Any) -> None:
    validate(document)


def test_every_route_is_in_the_document_and_no_other(recording: Recording, document: Any) -> None:
    def addresses(rule: Rule) -> set[tuple[str, str]]:
        return {(path_of(rule), method.lower()) for method in METHODS if method in (rule.methods or ())}

    rules = [rule for rule in recording.rules if rule.endpoint not in UNDOCUMENTED]

    routes = set().union(*map(addresses, rules))
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    assert documented == routes
    assert {rule.endpoint for rule in rules} == OPERATIONS.keys()


def test_every_query_parameter_is_in_the_document(recording: Recording, document: Any) -> None:
    for rule in recording.rules:
        if rule.endpoint not in UNDOCUMENTED and "GET" in (rule.methods or ()):
            used = [each["$ref"] for each in document["paths"][path_of(rule)]["get"].get("parameters", [])]

            named = [document["components"]["parameters"][ref.rpartition("/")[2]] for ref in used]
            queries = {each["name"] for each in named if each["in"] == "query"}
            assert queries == set(PARAMETERS.get(rule.endpoint, ()))


def test_every_problem_belongs_to_an_operation(recording: Recording) -> None:
    used = {*ALWAYS, *(slug for operation in OPERATIONS.values() for slug in operation.problems)}
    used |= {slug for rule in recording.rules for slug in of_tokens(rule)}

    assert used == PROBLEMS.keys()


def test_every_answer_fits_its_schema(recording: Recording, document: Any) -> None:
    for sample, answer in recording.answered:
        if answer.value == answer.body:
            continue  # Not JSON.
        operation = OPERATIONS.get(sample.endpoint)
        is_problem = answer.status >= 400 or operation is None
        name = "Problem" if is_problem else operation.schema if operation else None

        validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}"} | document)

        assert list(validator.iter_errors(answer.value)) == [], sample


def test_every_answer_is_documented(recording: Recording, document: Any) -> None:
    for sample, answer in recording.answered:
        operation = OPERATIONS.get(sample.endpoint)
        if operation is None or answer.status in (operation.status, *operation.empty):
            continue
        slug = answer.value["type"].rpartition("/")[2]

        assert slug in (*operation.problems, *ALWAYS), sample
        assert answer.status == PROBLEMS[slug].status


def test_the_schemas_name_every_member_of_an_answer(recording: Recording, document: Any) -> None:
    for sample, answer in recording.answered:
        schema = (
            document["components"]["schemas"].get(OPERATIONS[sample.endpoint].schema)
            if sample.title
            else None
        )
        if schema and answer.body and answer.status < 400 and "properties" in schema:
            assert answer.value.keys() <= schema["properties"].keys()


def test_examples_that_no_sample_provokes_have_the_text_of_the_code() -> None:
    code = "".join(path.read_text() for path in API.rglob("*.py"))
    plain = code.replace("{BODY_SECONDS}", "10").replace("{PATIENCE_SECONDS:.0f}", "5")
    plain = plain.replace("{error.seconds}", "3").replace("{scope}", "orders:write")
    plain = plain.replace("{client.name}", "ann").replace("{has}", "orders:read")

    for slug, detail in DETAILS.items():
        assert detail in plain, slug
