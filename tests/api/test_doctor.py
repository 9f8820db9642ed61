"""`/admin/doctor`: the findings of the command `doctor`, and a new run of it."""

import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from orders_service.operations.doctor import DoctorRuns
from rig.waiting import await_true
from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import Api, assert_problem

PATH = "/admin/doctor"
RUNS = f"{PATH}/runs"
FINDING = {"check": "port", "level": "fine", "seen": "it is free", "do": ""}


@pytest.fixture
def api(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API with a doctor that has one finding, so that no test waits for the real one."""
    command = [sys.executable, "-c", f"import json; print(json.dumps([{FINDING!r}]))"]
    monkeypatch.setitem(api.app.extensions, "doctor", DoctorRuns(command))
    return api


def shown(api: Api) -> dict[str, Any]:
    response = api.get(PATH)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def test_before_the_first_run_there_are_no_findings(api: Api) -> None:
    assert shown(api) == {
        "at": None,
        "seconds": None,
        "running": False,
        "findings": [],
        "command": "orders-service doctor",
    }


def test_a_run_is_started_and_its_findings_follow(api: Api) -> None:
    response = api.client.post(RUNS, json={})

    assert (response.status_code, response.json["started"]) == (200, True)  # type: ignore[index]
    await_true(lambda: not shown(api)["running"], "the run has ended")
    assert shown(api)["findings"] == [FINDING]


def test_a_second_run_within_ten_seconds_starts_nothing(api: Api) -> None:
    api.client.post(RUNS, json={})

    response = api.client.post(RUNS, json={})

    assert response.status_code == 200
    assert response.json == {
        "done": "The doctor runs, or has ended less than 10 s ago. Nothing was started.",
        "started": False,
        "command": "orders-service doctor",
    }
    await_true(lambda: not shown(api)["running"], "the run has ended")


def test_a_run_is_logged_with_its_operator(api: Api) -> None:
    with capture_logs() as lines:
        done = api.client.post(RUNS, json={}).get_json()["done"]

    (line,) = [line for line in lines if line["event"] == "operator's action"]
    assert (line["by"], line["action"], line["done"]) == ("the page", "doctor", done)
    await_true(lambda: not shown(api)["running"], "the run has ended")


def test_a_request_with_a_key_is_logged_and_answered_once(api: Api) -> None:
    key = {"Idempotency-Key": "look-1"}
    first = api.client.post(RUNS, json={}, headers=key)

    with capture_logs() as lines:
        again = api.client.post(RUNS, json={}, headers=key)

    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    assert "operator's action" not in {line["event"] for line in lines}
    wrong = api.client.post(RUNS, json={}, headers={"Idempotency-Key": "ö"})
    assert_problem(wrong, 400, "invalid-idempotency-key")
    await_true(lambda: not shown(api)["running"], "the run has ended")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_site_cannot_start_a_run(api: Api, content_type: str | None) -> None:
    response = api.client.post(RUNS, data="{}", content_type=content_type)

    assert_problem(response, 415, "unsupported-media-type")
    assert not shown(api)["running"]


def test_a_run_has_no_fields(api: Api) -> None:
    assert_problem(api.client.post(RUNS, json={"all": True}), 422, "invalid-fields", fields=("all",))


def test_only_an_operator_may_use_it(api: Api) -> None:
    with Api.on(api.databases, **WITH_SECRET) as secured:
        read = secured.client.get(PATH, headers=bearer(token()))
        run = secured.client.post(RUNS, json={}, headers=bearer(token()))

    assert_problem(read, 403, "insufficient-scope")
    assert_problem(run, 403, "insufficient-scope")
