"""The descriptions of `/admin/dead-letters`, and the JSON of its requests and answers."""

from orders_service.api.admin.dead_letters import GROUPS_MOST, LISTED, READ_MOST, STATES
from orders_service.api.admin.letter_changes import ERROR_MAX, GROUP_MAX, LEFT_SHOWN, MOST, REASON_MAX
from orders_service.contract.limits import TEXT_MAX
from orders_service.events.dead_letter_search import State
from orders_service.operations.records import HEADERS
from rig.documents.operation import CHANGE, DATABASE, Operation
from rig.documents.parameters import PAGE_MAX, key_text
from rig.documents.shapes import COUNT, FLAG, TEXT, TIME, Schema, list_, object_, or_null, ref

RECORD_ID: Schema = {
    "type": "string",
    "description": "The id of a record: `topic-partition@offset`.",
    "pattern": r"^.+-[0-9]+@[0-9]+$",
    "examples": ["example-catalog-topic-4@1198"],
}
ERROR: Schema = {
    "type": "string",
    "description": "The first line of the detail. `…` stands for ids and numbers, which differ from record to"
    " record.",
}

PARAMETERS: dict[str, Schema] = {
    "admin.list_dead_letters.limit": {
        "description": "The largest number of dead letters in the answer.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": LISTED},
    },
    "reason": {"description": "Only dead letters with this reason.", "schema": TEXT, "example": "unreadable"},
    "error": {
        "description": "Only dead letters with this error. A whole detail is taken for its error, too.",
        "schema": TEXT,
    },
    "group": {"description": "Only dead letters of this consumer group.", "schema": TEXT},
    "state": {
        "description": "Only dead letters in this state. Without it, those that wait and those on hold.",
        "schema": {"type": "string", "enum": [*STATES]},
    },
}
OPERATIONS: dict[str, Operation] = {
    "admin.group_dead_letters": Operation(
        id="groupDeadLetters",
        tag="operators",
        summary="Group the dead letters by cause",
        description="The unresolved dead letters of both databases. The largest group is first, and groups"
        f" that are on hold are last. `more` is true if there are more than {GROUPS_MOST} groups or more dead"
        " letters than were looked at. `problem` says which database did not answer.",
        answer="The groups.",
        schema="DeadLetterGroups",
        problems=("host-not-allowed",),
    ),
    "admin.list_dead_letters": Operation(
        id="listDeadLetters",
        tag="operators",
        summary="List dead letters",
        description="The newest, newest first. `reason`, `error` and `group` are looked for among the newest"
        f" {READ_MOST} of each state. `problem` says which database did not answer.",
        answer="The dead letters, without their records.",
        schema="DeadLetters",
        problems=("host-not-allowed", "invalid-fields"),
    ),
    "admin.show_dead_letter": Operation(
        id="showDeadLetter",
        tag="operators",
        summary="Show a dead letter",
        description="With its record as text. Bytes that are not UTF-8, and invisible characters, are shown"
        " as escapes; `cut` is true if the record has more than is shown. If several consumer groups gave up"
        " on this record, the answer is the newest dead letter.",
        answer="The dead letter.",
        schema="DeadLetterWithRecord",
        problems=("host-not-allowed", "not-found", *DATABASE),
    ),
    "admin.replay_dead_letters": Operation(
        id="replayDeadLetters",
        tag="operators",
        summary="Replay dead letters",
        description="Each is given to its handler again, in a transaction of its own. Those on hold are left"
        f" alone, unless `recordId` names one or `held` is true. At most {MOST} in one request: if `more` is"
        " true, send another with `next` as `after`, or it looks again at those that were left. With `dryRun`"
        " nothing is changed.",
        body="DeadLetterDecision",
        answer="What was done.",
        schema="DeadLettersDecided",
        **CHANGE,
    ),
    "admin.discard_dead_letters": Operation(
        id="discardDeadLetters",
        tag="operators",
        summary="Discard dead letters",
        description="They are given up. A placed order that can be read is rejected with the reason"
        " `discarded`. A cancellation that still has pieces to release is left: replay it.",
        body="DeadLetterDecision",
        answer="What was done.",
        schema="DeadLettersDecided",
        **CHANGE,
    ),
    "admin.hold_dead_letters": Operation(
        id="holdDeadLetters",
        tag="operators",
        summary="Put dead letters on hold",
        description="They are kept and listed, but no longer counted as waiting.",
        body="DeadLetterDecision",
        answer="What was done.",
        schema="DeadLettersDecided",
        **CHANGE,
    ),
    "admin.release_dead_letters": Operation(
        id="releaseDeadLetters",
        tag="operators",
        summary="Release dead letters that are on hold",
        description="They wait again, and are counted.",
        body="DeadLetterDecision",
        answer="What was done.",
        schema="DeadLettersDecided",
        **CHANGE,
    ),
}


def schemas() -> dict[str, Schema]:
    """The schemas of the requests and answers, by name."""
    return {
        "DeadLetterGroups": object_(
            groups=list_(ref("DeadLetterGroup"), GROUPS_MOST),
            waiting=COUNT | {"description": "Dead letters that wait, in the databases that answer."},
            onHold=COUNT,
            more=FLAG,
            problem=or_null(TEXT),
        ),
        "DeadLetterGroup": object_(
            reason=TEXT,
            error=ERROR,
            group=TEXT | {"description": "The consumer group."},
            count=COUNT | {"description": "All of them, with those on hold."},
            onHold=COUNT,
            firstAt=TIME,
            lastAt=TIME,
            sample=RECORD_ID | {"description": "The id of the newest record."},
        ),
        "DeadLetters": object_(deadLetters=list_(ref("DeadLetter"), PAGE_MAX), problem=or_null(TEXT)),
        "DeadLetter": object_(**_letter()),
        "DeadLetterWithRecord": object_(
            **_letter(),
            record=ref("StoredRecord"),
            orderId=or_null(TEXT | {"description": "The order that the record is about, if it says so."}),
        ),
        "StoredRecord": object_(
            key=or_null(TEXT),
            headers=list_(list_(or_null(TEXT), 2), HEADERS),
            value=or_null(TEXT),
            cut=FLAG,
        ),
        "DeadLetterDecision": _decision(),
        "DeadLettersDecided": object_(
            done=TEXT | {"description": "What was done, as a sentence."},
            command=or_null(TEXT | {"description": "The command that does the same."}),
            matched=COUNT,
            changed=COUNT,
            left=list_(object_(recordId=RECORD_ID, group=TEXT, why=TEXT), LEFT_SHOWN),
            wouldChange=or_null(COUNT | {"description": "With `dryRun`: those that would be changed."}),
            more=FLAG,
            next=or_null(
                TEXT | {"description": "If there are more: what the next request sends as `after`."}
            ),
            problem=or_null(TEXT | {"description": "Which database did not answer."}),
        ),
    }


def _letter() -> dict[str, Schema]:
    return {
        "recordId": RECORD_ID,
        "group": TEXT,
        "reason": TEXT,
        "error": ERROR,
        "detail": TEXT | {"description": "In a list, its first 200 characters."},
        "at": TIME,
        "state": {"type": "string", "enum": [*State]},
        "by": or_null(TEXT | {"description": "Who decided."}),
        "stateAt": or_null(TIME),
        "note": or_null(TEXT),
    }


def _decision() -> Schema:
    found = object_(
        recordId=RECORD_ID,
        reason=key_text(REASON_MAX),
        error=key_text(ERROR_MAX),
        group=key_text(GROUP_MAX),
        all=FLAG,
        held=FLAG | {"description": "`true`: also those on hold."},
        note=key_text(TEXT_MAX) | {"description": "Why. It is kept with them."},
        after={"type": "string", "description": "`next` of the answer before."},
        dryRun=FLAG | {"description": "`true`: change nothing, only say what would be done."},
    )
    del found["required"]
    found["description"] = (
        "Either `recordId`, or `all`, or any of `reason`, `error` and `group`. `group` can also be given"
        " with the others."
    )
    return found | {"additionalProperties": False}
