"""`top` against a running API: once, as JSON, and live in a terminal."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orders_service.settings import Settings
from rig.documents.recording import running
from rig.processes import service
from rig.waiting import await_true, seconds

SECRET = "a secret of more than thirty-two bytes, for tests"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running service that wants tokens."""
    folder = tmp_path_factory.mktemp("top")
    with running(folder, AUTH_MODE="jwt", AUTH_SECRET=SECRET) as found:
        yield found


def environment(settings: Settings, **changed: str) -> dict[str, str]:
    """The environment of a command that may make its own token."""
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "HOME")}
    own = {"API_PORT": str(settings.api_port), "AUTH_MODE": "jwt", "AUTH_SECRET": SECRET, "TERM": "xterm"}
    return known | own | {"LANG": "C.UTF-8"} | changed


def top(settings: Settings, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*service("top"), *words],
        env=environment(settings, **changed),
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )


class Terminal:
    """A terminal of 80 × 24 with `top` in it."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self.seen = ""
        self._ours = ours

    def shows(self, text: str) -> bool:
        """Whether *text* was drawn since the last `press`."""
        try:
            self.seen += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # The other side is closed.
            return text in self.seen
        return text in self.seen

    def press(self, key: str) -> None:
        self.seen = ""
        os.write(self._ours, key.encode())


@contextmanager
def terminal(settings: Settings, **changed: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        service("top"), env=environment(settings, **changed), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_without_a_terminal_it_prints_one_picture(settings: Settings) -> None:
    done = top(settings)

    assert done.returncode == 0, done.stderr
    assert "No order yet" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_one_reading_as_json(settings: Settings) -> None:
    done = top(settings, "--json")

    found = json.loads(done.stdout)
    assert next(station["name"] for station in found["stations"]) == "post"
    assert found["stations"][0]["perSecond"] == 0.0


def test_a_token_may_come_from_a_file(settings: Settings, tmp_path: Path) -> None:
    made = subprocess.run(
        [*service("token"), "--user", "ann", "--scope", "orders:operate"],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "token").write_text(made.stdout)

    done = top(settings, "--once", "--token-file", str(tmp_path / "token"), AUTH_MODE="none", AUTH_SECRET="")

    assert done.returncode == 0, done.stderr


def test_without_a_token_it_says_which_one_it_needs(settings: Settings) -> None:
    done = top(settings, "--once", AUTH_MODE="none", AUTH_SECRET="")

    assert done.returncode == 1
    assert "401" in done.stderr
    assert "orders:operate" in done.stderr
    assert "--token-file" in done.stderr


def test_without_an_api_it_says_how_to_start_one(settings: Settings) -> None:
    done = top(settings, "--url", "http://127.0.0.1:1")

    assert done.returncode == 1
    assert "no API answers at http://127.0.0.1:1" in done.stderr


def test_in_a_terminal_it_draws_until_q(settings: Settings) -> None:
    with terminal(settings) as screen:
        await_true(lambda: screen.shows("No order yet"), "the road is drawn")
        await_true(lambda: screen.shows("q quit"), "the keys are told")
        screen.press("p")
        await_true(lambda: screen.shows("Paused at "), "it is paused")
        screen.press("q")
        await_true(lambda: screen.process.poll() is not None, "it has ended")
        screen.shows("")

        assert screen.process.returncode == 0
        assert "\x1b[?25h\x1b[?1049l" in screen.seen, "the terminal is as before"


def test_no_color_is_obeyed(settings: Settings) -> None:
    with terminal(settings, NO_COLOR="1") as screen:
        await_true(lambda: screen.shows("q quit"), "the road is drawn")

        assert "\x1b[1m" not in screen.seen
        assert "\x1b[2m" not in screen.seen
