"""Text from outside, made safe to print on a terminal or in a log."""

import re

KEPT = 10_000  # Characters whose escapes are kept.
WORD = re.compile(r"\S+")
USER = re.compile(r"^([\w+.-]*://)?.*@", re.DOTALL)
PASSWORD = re.compile(
    r"""((?:password|passwd|pwd)(?:=|["']\s*:\s*))(?:"[^"]*"|'[^']*'|[^\s&"']+)""", re.IGNORECASE
)


class _Shown(dict[int, str]):
    """How characters are shown, by their code points, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        each = chr(code)
        shown = each if each.isprintable() else ascii(each)[1:-1]
        if len(self) < KEPT:
            self[code] = shown
        return shown


_SHOWN = _Shown()


def printable(text: str) -> str:
    r"""Return *text* as one line in which every character can be seen.

    Control characters, line breaks, direction overrides, invisible characters and unpaired surrogates become
    escapes such as `\x1b`, `\n` or `\u202e`. A terminal obeys some of them (colours, window title, a cursor
    that moves up) and a log takes others for the beginning of a new line.
    """
    if text.isprintable():
        return text
    return text.translate(_SHOWN)


def printable_lines(text: str) -> str:
    """Return *text* with each line made `printable`, for our own text of several lines (a traceback)."""
    return "\n".join(map(printable, text.split("\n")))


def without_passwords(text: str) -> str:
    """Return *text* with the user and password of each URL, and each `password=…`, replaced by `***`.

    A password may itself contain `@` or `/`, so everything up to the last `@` before a space is replaced.
    """
    return PASSWORD.sub(r"\1***", WORD.sub(_without_user_info, text))


def _without_user_info(word: re.Match[str]) -> str:
    begin, end = word[0].find("//"), word[0].rfind("@")
    return f"{word[0][:begin]}//***{word[0][end:]}" if 0 <= begin < end else word[0]


def without_user(value: str) -> str:
    """Return *value*, a URL that may be malformed, with all between its `//` and its last `@` as `***`.

    Unlike in `without_passwords`, that part may contain spaces.
    """
    return without_passwords(USER.sub(r"\1***@", value))


def safe(text: str) -> str:
    """Return *text* for a terminal or a log: without passwords, and with every line `printable`."""
    return printable_lines(without_passwords(text))
