"""How a command ends: in any terminal, with a sentence, without a secret, with an exit code."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig import processes
from rig.processes import UNSET, service


def ended(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a folder that is empty unless a test has put something there."""
    return processes.ended(*words, cwd=str(folder), **{"STATE_DIR": str(folder / "state")} | environment)


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
@pytest.mark.parametrize("words", [("doctor",), ("config", "show"), ("config", "describe"), ("--help",)])
def test_a_terminal_that_cannot_show_a_character_gets_another(
    tmp_path: Path, encoding: str, words: tuple[str, ...]
) -> None:
    done = ended(tmp_path, *words, PYTHONIOENCODING=encoding)

    assert done.returncode in (0, 5)
    assert done.stderr == ""
    done.stdout.encode(encoding)
    if words == ("doctor",):
        marks = {line[0] for line in done.stdout.splitlines() if not line.startswith(" ")}
        assert marks == ({"✔", "✘"} if encoding == "utf-8" else {"?", "x"})


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "de_DE.ISO-8859-1"},
        {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40", "HOME": ""},
    ],
)
def test_any_environment_will_do(tmp_path: Path, environment: dict[str, str]) -> None:
    for words in (["doctor"], ["migrate"], ["outbox", "list"], ["doctor", "--help"]):
        assert "Traceback" not in ended(tmp_path, *words, **environment).stderr


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        service("doctor"),
        env=UNSET | {"STATE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert said == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_stream_that_is_closed_is_no_error(tmp_path: Path, closed: str) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m orders_service config show {closed}',
        shell=True,
        env=UNSET | {"STATE_DIR": str(tmp_path)},
        capture_output=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_ends_a_command_in_a_sentence_with_130(tmp_path: Path) -> None:
    script = (
        "from orders_service import endings; import signal, sys, time\n"
        # A shell that starts the tests in the background lets them ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def command(): print('go', flush=True); time.sleep(60)\n"
        "sys.exit(endings.end(command))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (130, b"Interrupted.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frist-order"], "Did you mean 'first-order'?"),
        (["doktor"], "Did you mean 'doctor'?"),
        (["outbox", "lst"], "Did you mean 'list'?"),
        (["outbox", "list", "--jsn"], "Did you mean '--json'?"),
        (["run", "--port", "9"], "Set it in the environment: API_PORT=…"),
        (["api", "--log-level=debug"], "Set it in the environment: LOG_LEVEL=…"),
    ],
)
def test_a_mistyped_word_is_told_with_the_nearest(tmp_path: Path, words: list[str], said: str) -> None:
    done = ended(tmp_path, *words)

    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--port", "9"],
        ["run", "--rest"],
        ["outbox", "pruge"],
        ["dead-letters", "discrd"],
        ["connectors", "delte"],
        ["stock-consumer", "--skip-gaps"],
    ],
)
def test_nothing_that_deletes_is_suggested(tmp_path: Path, words: list[str]) -> None:
    done = ended(tmp_path, *words)

    assert done.returncode == 2
    assert "Did you mean" not in done.stderr


def test_a_full_disk_under_stdout_is_told(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            service("config", "show"), env=UNSET, stdout=full, stderr=subprocess.PIPE, timeout=60
        )

    assert done.returncode == 1
    assert done.stderr == b"Error: [Errno 28] No space left on device\n"


def test_an_error_that_nobody_foresaw_has_its_traceback_and_no_password() -> None:
    script = (
        "from orders_service import endings; import sys\n"
        "def fails(): raise ValueError('http://u:s3cret@h/ \\x1b[2J')\n"
        "sys.exit(endings.end(fails))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == r"ValueError: http://***@h/ \x1b[2J"
    assert "s3cret" not in done.stderr
