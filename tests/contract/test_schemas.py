"""Records and the AsyncAPI document fit the published schemas."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from rig.documents.__main__ import FOLDER, ROOT
from tests.contract.test_records import headers
from tests.flow_kit import BERLIN, Flow

DOCUMENTS = ROOT / FOLDER
SCHEMAS = sorted((DOCUMENTS / "schemas").glob("*.json"))


def loaded(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_valid(path: Path) -> None:
    Draft202012Validator.check_schema(loaded(path))


def test_the_asyncapi_document_is_valid() -> None:
    # From the npm package @asyncapi/specs 6.11.1, schemas/3.0.0.json (Apache-2.0).
    official = loaded(Path(__file__).with_name("asyncapi-3.0.0.json"))

    assert list(Draft7Validator(official).iter_errors(loaded(DOCUMENTS / "asyncapi.json"))) == []


def test_every_record_fits_its_schema_and_its_headers_too(flow: Flow) -> None:
    messages = loaded(DOCUMENTS / "asyncapi.json")["components"]["messages"]
    order_id = flow.place(BERLIN, 2)
    flow.place(BERLIN, 101)
    flow.place('서울 "😀"\\/')
    flow.cancel(order_id)
    flow.run()

    seen = set()
    for record in flow.records():
        told = headers(record)
        seen.add(told["ce_type"])
        schema = loaded(DOCUMENTS / f"schemas/{told['ce_type']}.json")
        assert list(Draft202012Validator(schema).iter_errors(json.loads(record.value or b""))) == []
        assert json.loads(record.value or b"").keys() == schema["properties"].keys()
        described = messages[told["ce_type"]]["headers"]
        assert list(Draft7Validator(described).iter_errors(told)) == []
        assert told.keys() == set(described["required"])
    assert seen == {path.stem for path in SCHEMAS} == messages.keys()
