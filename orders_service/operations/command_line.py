"""The command lines that do the same as an action."""

import shlex
from collections.abc import Sequence


def command_line(*words: str, arguments: Sequence[str] = (), options: Sequence[str] = ()) -> str:
    """The command `orders-service` with *words*, quoted for a shell.

    An argument that begins with `-` would be taken for an option, so then `--` stands before the arguments.
    """
    if arguments and arguments[0].startswith("-"):
        return shlex.join(("orders-service", *words, *options, "--", *arguments))
    return shlex.join(("orders-service", *words, *arguments, *options))
