"""The findings of the command `doctor`, and a new run of it: `/admin/doctor`."""

from typing import Any

from flask import current_app, jsonify
from flask.typing import ResponseReturnValue

from orders_service.api.admin import changes
from orders_service.api.admin.blueprint import admin
from orders_service.operations import actions
from orders_service.operations.doctor import PAUSE_SECONDS, DoctorRuns

COMMAND = "orders-service doctor"
NO_FIELDS = changes.Change()


@admin.get("/doctor")
def show_doctor() -> ResponseReturnValue:
    """The newest findings of the doctor, with their time. Empty before the first run."""
    return jsonify(_runs().latest() | {"command": COMMAND})


@admin.post("/doctor/runs")
def run_doctor() -> ResponseReturnValue:
    """Start the doctor, and answer at once: its findings stand in `/admin/doctor` when it has ended.

    The action is logged, and not recorded in a database: the doctor must run when they are down.
    """
    request = changes.action("doctor", "all checks", changes.load(NO_FIELDS))
    start = _runs().start(request)
    done = "The doctor was started. Its checks take some seconds."
    if not start.started:
        done = f"The doctor runs, or has ended less than {PAUSE_SECONDS} s ago. Nothing was started."
    answer: dict[str, Any] = {"done": done, "started": start.started, "command": COMMAND}
    if not start.replayed:
        actions.log_done(request, answer)
    return changes.answer(actions.Done(answer, start.replayed))


def _runs() -> DoctorRuns:
    runs: DoctorRuns = current_app.extensions["doctor"]
    return runs
