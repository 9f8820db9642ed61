"""How a command ends: its exit code, and the error message on stderr."""

import codecs
import io
import os
import pkgutil
import sys
from collections.abc import Callable

import click

from orders_service.printable import printable, safe, without_passwords

FAILED, INTERRUPTED = 1, 130
# Loaded only for an error that needs them: `--help` needs neither settings nor databases and must be fast.
EXPLANATION = "orders_service.explanations:of_error"
HINT = "orders_service.explanations:of_option"
# Commands and options that delete data are never suggested for a mistyped one.
DELETES = ("--reset", "--skip-gap", "delete", "discard", "purge")
ASCII_CODEC_NAME, REPLACE_HANDLER_NAME = "ascii_terminal", "stand_in"
REPLACEMENTS = {"✘": "x", "→": ">"}


def end(command: Callable[[], object]) -> int:
    """Run *command* and return the exit code. An error is printed on stderr as a sentence.

    Only an unexpected exception is printed with its traceback. When the reader of a pipe has closed it
    (`… | head -1`), nothing is printed.
    """
    try:
        code = command()
        if sys.stdout:  # None if the shell has closed it (`>&-`).
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_unread()
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        _show(_with_harmless_hints(error))
        return error.exit_code
    except Exception as error:
        explained: tuple[int, str] = pkgutil.resolve_name(EXPLANATION)(error)
        click.echo(safe(explained[1]), err=True)
        return explained[0]
    return code if isinstance(code, int) else 0


def open_closed_streams() -> None:
    """Open /dev/null for each of stdin, stdout and stderr that the shell has closed.

    Otherwise the next file that is opened gets the free descriptor: a database file opened as descriptor 2
    would be overwritten by the next error message.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest free descriptor, which is *number*.
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def replace_unencodable_characters() -> None:
    """Make stdout and stderr replace characters that their encoding lacks: ✘ by x, → by >, others by `?`."""
    codecs.register(_find_ascii)
    codecs.register_error(REPLACE_HANDLER_NAME, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # click takes a stream with encoding "ascii" to be misconfigured and writes UTF-8 to it. Under
            # another name it leaves the encoding alone.
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII_CODEC_NAME if is_ascii else None, errors=REPLACE_HANDLER_NAME)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return REPLACEMENTS.get(error.object[error.start], "?"), error.start + 1


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    """A codec search function: finds the ASCII codec under the name `ascii_terminal`."""
    if name != ASCII_CODEC_NAME:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        incrementalencoder=known.incrementalencoder,
        incrementaldecoder=known.incrementaldecoder,
        name=ASCII_CODEC_NAME,
    )


def _leave_unread() -> None:
    """Drop buffered output after a broken pipe: at exit Python would flush it again and print an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.UsageError):  # Its `show` prints the usage line as well.
        shown = io.StringIO()
        error.show(shown)
        click.echo(safe(shown.getvalue()), err=True, nl=False)
    else:
        click.echo(f"Error: {printable(without_passwords(error.format_message()))}", err=True)


def _with_harmless_hints(error: click.ClickException) -> click.ClickException:
    """Suggest commands or options similar to the mistyped one, but none that deletes data."""
    if isinstance(error, click.NoSuchCommand) and error.ctx and isinstance(error.ctx.command, click.Group):
        known = error.ctx.command.list_commands(error.ctx)
        return click.NoSuchCommand(error.command_name, possibilities=_harmless(known), ctx=error.ctx)
    if isinstance(error, click.NoSuchOption):
        known = list(error.possibilities or ())
        message = error.message + pkgutil.resolve_name(HINT)(error.option_name)
        return click.NoSuchOption(
            error.option_name, message=message, possibilities=_harmless(known), ctx=error.ctx
        )
    return error


def _harmless(words: list[str]) -> list[str]:
    return [word for word in words if word not in DELETES]
