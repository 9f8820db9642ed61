"""Compares the output that a page shows with the output that came, except for the parts that change."""

import re
from collections.abc import Mapping, Sequence

GAP = "…"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# A part that changes in the page, and what may stand there instead.
CHANGING = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?",  # a time
    r"\b\d+(?:\.\d+)? (?:s|ms|sec)\b",  # a duration
    r"(?<=TopicId: )[\w-]{22}",
    r"\b1[78]\d{11}\b",  # milliseconds since 1970
)
TOKEN = re.compile("|".join([f"(?P<uuid>{UUID})", *(f"(?P<c{n}>{one})" for n, one in enumerate(CHANGING))]))


class Names:
    """The names of this walk: ports and folders that differ from the page's, and ids that were seen.

    An id that the page repeats must repeat in the output, too; typed commands use the id that came.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._known = dict(given)

    def replaced(self, text: str) -> str:
        """A text of the page with the names of this walk."""
        several = [_name(one) for one in sorted(self._known, key=len, reverse=True)]
        return re.sub("|".join(several), lambda name: self._known[name[0]], text) if several else text

    def match(self, shown: Sequence[str], came: Sequence[str], *, complete: bool) -> bool:
        """Whether *came* is what the page shows; unless *complete*, more may follow.

        Ids that came in place of the page's ids are remembered.
        """
        found = self._matched([*shown], [*came], complete=complete)
        if found is not None:
            self._known |= found
        return found is not None

    def _matched(self, shown: list[str], came: list[str], *, complete: bool) -> dict[str, str] | None:
        if not shown:
            return None if complete and came else {}
        if shown[0].strip() == GAP:
            rests = (came[start:] for start in range(len(came) + 1))
            return next(
                (
                    one
                    for rest in rests
                    if (one := self._matched(shown[1:], rest, complete=complete)) is not None
                ),
                None,
            )
        if not came:
            return None
        pattern, ids = self._pattern(shown[0])
        line = re.fullmatch(pattern, came[0].strip())
        if line is None:
            return None
        rest = self._matched(shown[1:], came[1:], complete=complete)
        return None if rest is None else dict(zip(ids, line.groups(), strict=True)) | rest

    def _pattern(self, line: str) -> tuple[str, list[str]]:
        """The regular expression for a line of the page, and the new ids that are its groups."""
        text, pattern, ids, at = self.replaced(line.strip()), "", [], 0
        for token in TOKEN.finditer(text):
            pattern += _literally(text[at : token.start()])
            at = token.end()
            if token["uuid"] is None:
                pattern += CHANGING[int(str(token.lastgroup)[1:])]
            elif token[0] in self._known.values():
                pattern += re.escape(token[0])
            else:
                pattern += f"({UUID})"
                ids.append(token[0])
        return pattern + _literally(text[at:]), ids


def _name(text: str) -> str:
    """A regular expression for a name: a port or an id is not replaced within a longer number or id."""
    name = re.escape(text)
    return rf"(?<![\w-]){name}(?![\w-])" if text[0].isalnum() else name


def _literally(text: str) -> str:
    """A regular expression for a text, with any white space for white space and any text for a gap."""
    parts = (re.sub(r"(?:\\\s)+|\s+", r"\\s+", re.escape(part)) for part in text.split(GAP))
    return ".*".join(parts)
