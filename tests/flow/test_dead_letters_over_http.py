"""`/admin/dead-letters`: what an operator sees and decides over HTTP."""

import shlex
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from orders_service.commands import dead_letters
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import Action
from orders_service.operations.records import HEADERS, TEXT_BYTES
from tests.api.kit import assert_problem
from tests.flow_kit import Flow

TOPIC = "example-catalog-topic"
PATH = "/admin/dead-letters"
HOSTILE = '<script>alert(1)</script>\x1b[2J\u202e"; DROP TABLE orders; --'


def bury(flow: Flow, *values: bytes, **fields: Any) -> list[str]:
    """Send records that cannot be read. The ids of all dead letters."""
    flow.send([Outgoing(TOPIC, b"same", value, **fields) for value in values])
    flow.run()
    return [f"{letter.topic}-{letter.partition}@{letter.offset}" for letter in flow.dead_letters()]


def get(flow: Flow, path: str = "", **parameters: str) -> Any:
    response = flow.api.get(PATH + path, query_string=parameters)
    assert response.status_code == 200, response.text
    return response.get_json()


def listed(flow: Flow, **parameters: str) -> Any:
    return get(flow, **parameters)["deadLetters"]


def post(flow: Flow, decision: str, *, key: str | None = None, **members: Any) -> Any:
    response = flow.api.post(
        f"{PATH}/{decision}", json=members, headers={"Idempotency-Key": key} if key else {}
    )
    assert response.status_code == 200, response.text
    return response.get_json()


def actions(flow: Flow) -> list[Action]:
    with Session(flow.databases.orders) as session:
        return list(session.scalars(select(Action).order_by(Action.id)))


def states(flow: Flow) -> list[str]:
    return [letter["state"] for letter in listed(flow, limit="1000")]


def test_dead_letters_are_grouped_by_their_cause(flow: Flow) -> None:
    *_, other = bury(flow, b'{"a": x', b'{"abc": x', b"[]")
    post(flow, "hold", recordId=other)

    found = get(flow, "/groups")

    largest, on_hold = found["groups"]
    assert (largest["count"], largest["onHold"], largest["reason"]) == (2, 0, "unreadable")
    assert largest["error"].endswith("Expecting value: line … column … (char …)")
    assert largest["group"] == "catalog-stock"
    assert largest["firstAt"] <= largest["lastAt"]
    assert (on_hold["count"], on_hold["onHold"], on_hold["sample"]) == (1, 1, other)
    assert (found["waiting"], found["onHold"], found["more"], found["problem"]) == (2, 1, False, None)


def test_letters_are_listed_newest_first_and_filtered(flow: Flow) -> None:
    records = bury(flow, b"one", b"two", b"[]")
    post(flow, "hold", recordId=records[0])
    post(flow, "discard", recordId=records[1])

    assert [letter["recordId"] for letter in listed(flow)] == [records[2], records[0]]
    assert [letter["recordId"] for letter in listed(flow, state="waiting")] == [records[2]]
    assert [letter["recordId"] for letter in listed(flow, state="hold")] == [records[0]]
    assert [letter["state"] for letter in listed(flow, state="resolved")] == ["discarded"]
    assert listed(flow, reason="conflicting") == []
    assert [letter["recordId"] for letter in listed(flow, error=listed(flow)[0]["error"])] == [records[2]]
    assert len(listed(flow, limit="1")) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=odd", "state"), ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit")],
)
def test_a_wrong_parameter_is_named(flow: Flow, query: str, field: str) -> None:
    assert_problem(flow.api.get(f"{PATH}?{query}"), 422, "invalid-fields", fields=(field,))


def test_a_letter_is_shown_with_its_record_as_text(flow: Flow) -> None:
    headers = (("ce_subject", b"order \xff7"), (HOSTILE, None), *[("x", b"y")] * HEADERS)
    (record,) = bury(flow, HOSTILE.encode() + b"\xff" + b"z" * TEXT_BYTES, headers=headers)

    shown = get(flow, f"/{record}")

    assert shown["record"]["key"] == "same"
    assert shown["record"]["value"].startswith("<script>alert(1)</script>\\x1b[2J\\u202e")
    assert len(shown["record"]["value"]) < 2 * TEXT_BYTES
    assert shown["record"]["headers"][0] == ["ce_subject", "order \\xff7"]
    assert shown["record"]["headers"][1][1] is None
    assert (len(shown["record"]["headers"]), shown["record"]["cut"]) == (HEADERS, True)
    assert shown["reason"] == "unreadable"


@pytest.mark.parametrize("record", ["5", f"{TOPIC}-0@9", f"{TOPIC}-x@1", f"{TOPIC}-0@{10**19 - 1}", "%1b"])
def test_a_letter_that_does_not_exist_is_404(flow: Flow, record: str) -> None:
    assert_problem(flow.api.get(f"{PATH}/{record}"), 404, "not-found")


def test_letters_of_one_cause_are_discarded(flow: Flow) -> None:
    bury(flow, b'{"a": x', b'{"abc": x', b"[]")
    group = get(flow, "/groups")["groups"][0]

    done = post(flow, "discard", reason=group["reason"], error=group["error"], group=group["group"])

    assert (done["matched"], done["changed"], done["left"], done["more"]) == (2, 2, [], False)
    assert done["done"] == "2 dead letters were discarded."
    assert sorted(letter.resolution or "" for letter in flow.dead_letters()) == ["", "discarded", "discarded"]
    assert {letter.resolved_by for letter in flow.dead_letters()} == {None, "the page"}


def test_the_equivalent_command_selects_the_same_letters(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("orders_database_url", "catalog_database_url", "state_dir"):
        monkeypatch.setenv(name.upper(), getattr(flow.settings, name))
    bury(flow, b"it's", b"[]")
    error = listed(flow)[1]["error"]

    tried = post(flow, "hold", error=error, note="it's for 'later'", dryRun=True)
    program, *words = shlex.split(tried["command"])
    result = CliRunner().invoke(dead_letters.main, words[1:])

    assert (program, words[0]) == ("orders-service", "dead-letters")
    assert tried["done"] == "1 dead letter would be put on hold."
    assert result.exit_code == 0, result.output
    assert result.output.endswith("would be put on hold\n")


def test_a_dry_run_changes_nothing_and_is_not_recorded(flow: Flow) -> None:
    bury(flow, b"one", b"two")

    tried = post(flow, "discard", all=True, dryRun=True, key="k")

    assert (tried["matched"], tried["changed"]) == (2, 0)
    assert states(flow) == ["waiting", "waiting"]
    assert actions(flow) == []


def test_letters_that_cannot_be_replayed_are_left_with_the_reason(flow: Flow) -> None:
    (record,) = bury(flow, b"one")

    done = post(flow, "replay", all=True)

    assert (done["matched"], done["changed"]) == (1, 0)
    assert done["left"][0]["recordId"] == record
    assert done["left"][0]["why"].startswith("unreadable: ")
    assert done["done"] == "No dead letter was replayed; 1 could not be."


def test_hold_and_release_over_http(flow: Flow) -> None:
    (record,) = bury(flow, b"one")

    post(flow, "hold", recordId=record, note="ticket 412")
    (held,) = listed(flow)
    left_alone = post(flow, "discard", all=True)
    post(flow, "release", recordId=record)

    assert (held["state"], held["by"], held["note"]) == ("hold", "the page", "ticket 412")
    assert held["stateAt"] is not None
    assert left_alone["done"] == "No dead letter matched, so nothing was done."
    assert states(flow) == ["waiting"]


def test_a_decision_is_recorded_with_who_and_what(flow: Flow) -> None:
    (record,) = bury(flow, b"one")

    post(flow, "discard", recordId=record)

    (action,) = actions(flow)
    assert (action.done_by, action.action, action.target) == ("the page", "dead-letters discard", record)
    assert action.outcome == "1 dead letter was discarded."


def test_the_same_key_again_does_nothing_and_gets_the_same_answer(flow: Flow) -> None:
    bury(flow, b"one")
    first = post(flow, "discard", all=True, key="k")
    bury(flow, b"two")

    again = flow.api.post(f"{PATH}/discard", json={"all": True}, headers={"Idempotency-Key": "k"})

    assert again.get_json() == first
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [letter.resolution for letter in flow.dead_letters()] == ["discarded", None]
    assert len(actions(flow)) == 1


def test_the_same_key_with_another_request_is_refused(flow: Flow) -> None:
    bury(flow, b"one")
    post(flow, "hold", all=True, key="k")

    other = flow.api.post(f"{PATH}/hold", json={"all": True, "note": "x"}, headers={"Idempotency-Key": "k"})

    assert_problem(other, 422, "idempotency-key-reused")
    assert states(flow) == ["hold"]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ("recordId",)),
        ({"all": False}, ("recordId",)),
        ({"all": 1}, ("all",)),
        ({"recordId": "x"}, ("recordId",)),
        ({"recordId": f"{TOPIC}-0@1", "all": True}, ("recordId",)),
        ({"all": True, "note": "a\x1b"}, ("note",)),
        ({"all": True, "note": "x" * 256}, ("note",)),
        ({"all": True, "reason": ""}, ("reason",)),
        ({"all": True, "dryRun": "yes"}, ("dryRun",)),
        ({"all": True, "limit": 1}, ("limit",)),
    ],
)
def test_a_wrong_selection_is_refused(flow: Flow, members: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert_problem(flow.api.post(f"{PATH}/hold", json=members), 422, "invalid-fields", fields=fields)


def test_only_json_is_accepted(flow: Flow) -> None:
    """A page of another site could send a form, but not JSON, without a preflight request."""
    response = flow.api.post(f"{PATH}/discard", data='{"all": true}', content_type="text/plain")

    assert_problem(response, 415, "unsupported-media-type")
