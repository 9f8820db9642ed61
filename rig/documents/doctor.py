"""The description of the doctor's endpoints and of their JSON."""

from typing import Any

from rig.documents.operation import Operation

FINDING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "check": {"type": "string", "description": "What was checked."},
        "level": {"type": "string", "enum": ["fine", "warning", "wrong", "away"]},
        "seen": {"type": "string", "description": "What was found."},
        "do": {"type": "string", "description": "What to do about it. Empty if there is nothing to do."},
    },
    "required": ["check", "level", "seen", "do"],
}
COMMAND = {"type": "string", "description": "The command that does the same."}
SCHEMAS: dict[str, dict[str, Any]] = {
    "DoctorFindings": {
        "type": "object",
        "properties": {
            "at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the run began. `null` before the first run.",
            },
            "seconds": {"type": ["number", "null"], "description": "How long the run took."},
            "running": {"type": "boolean", "description": "Whether a run is in progress."},
            "findings": {"type": "array", "items": FINDING},
            "command": COMMAND,
        },
        "required": ["at", "seconds", "running", "findings", "command"],
    },
    "DoctorRun": {
        "type": "object",
        "properties": {
            "done": {"type": "string", "description": "What was done, as a sentence."},
            "started": {"type": "boolean", "description": "Whether a run was started."},
            "command": COMMAND,
        },
        "required": ["done", "started", "command"],
    },
    "NoFields": {"type": "object", "additionalProperties": False},
}
OPERATIONS: dict[str, Operation] = {
    "admin.show_doctor": Operation(
        id="showDoctor",
        tag="operators",
        summary="Show the findings of the doctor",
        description="The findings of the last `POST /admin/doctor/runs`, by whichever API process of this"
        " server. Each server has its own.",
        answer="The findings, with the time of the run.",
        schema="DoctorFindings",
        problems=("host-not-allowed",),
    ),
    "admin.run_doctor": Operation(
        id="runDoctor",
        tag="operators",
        summary="Run the doctor",
        description="Starts the command `orders-service doctor`, which checks everything that the service"
        " depends on and changes nothing. The answer comes at once; the findings follow some seconds later."
        " One run goes on at a time, and the next one starts 10 s after its end at the earliest."
        " The key of a request is remembered in memory, so that it also works while the databases are down.",
        body="NoFields",
        parameters=("Idempotency-Key",),
        headers=("Idempotent-Replayed",),
        answer="Whether a run was started.",
        schema="DoctorRun",
        problems=(
            *("host-not-allowed", "bad-request", "invalid-body", "invalid-idempotency-key"),
            *("unsupported-media-type", "invalid-fields"),
        ),
    ),
}
