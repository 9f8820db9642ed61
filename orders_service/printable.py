"""Text from outside, made safe to print on a terminal or in a log."""


def printable(text: str) -> str:
    r"""Return *text* as one line in which every character can be seen.

    Control characters, line breaks, direction overrides, invisible characters and unpaired surrogates become
    escapes such as `\x1b`, `\n` or `\u202e`. A terminal obeys some of them (colours, window title, a cursor
    that moves up) and a log takes others for the beginning of a new line.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def printable_lines(text: str) -> str:
    """Return *text* with every line made `printable`, for text of ours that has several: a traceback, say."""
    return "\n".join(map(printable, text.split("\n")))
