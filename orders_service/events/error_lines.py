"""The error line of a dead letter: the first line of its detail, without what differs from record to record.

Dead letters with the same cause have the same error line, so that they can be shown and selected together.
"""

import re

SHOWN = 200  # The number of characters of a detail that are looked at.
LINE_END = re.compile(r"\n|\\n|\\r")  # The detail has line breaks as escapes.
# An order's id can have any form. Else what has a digit in it is taken for an id, except the name of an
# encoding and the type of an event.
ORDER_ID = re.compile(r"\border (?!…)\S+")
VARYING = re.compile(r"(?<![\w.-])(?!utf-8\b|[a-z.]+\.v\d+\b)[\w.-]*\d[\w.-]*", re.IGNORECASE)


def error_line(detail: str) -> str:
    """The error line of a dead letter with this *detail*. The error line of an error line is itself."""
    line = LINE_END.split(detail[:SHOWN], maxsplit=1)[0].strip()
    return VARYING.sub("…", ORDER_ID.sub("order …", line))
