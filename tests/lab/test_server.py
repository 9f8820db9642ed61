"""Which process is ours, and what happens to it."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from lab.errors import PortTaken, ServerDied
from lab.ports import HOST, Ports, is_free
from lab.server import Server
from rig import waiting

LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""
BUSY = """
import threading
def spin():
    while True:
        pass
for _ in range(9):
    threading.Thread(target=spin).start()
"""


class Lamp(Server):
    """The smallest server: it accepts, and hangs up."""

    program = LISTEN

    @property
    def mark(self) -> str:
        return f"--lamp={self.folder}"

    def fetch(self, out: TextIO) -> None: ...

    def prepare(self) -> None: ...

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.program, str(self.ports[0]), self.mark]

    def answers(self) -> bool:
        return not is_free(self.ports[0])


@pytest.fixture
def lamp(tmp_path: Path) -> Iterator[Lamp]:
    lamp = Lamp("lamp", tmp_path, (Ports.free().mariadb,))
    yield lamp
    lamp.kill()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_server_is_known_again_by_another_command(lamp: Lamp, tmp_path: Path) -> None:
    lamp.start()

    other = Lamp("lamp", tmp_path, lamp.ports)

    assert (other.pid, other.state) == (lamp.pid, "answers")


def test_what_a_server_writes_is_for_its_owner_only(lamp: Lamp, tmp_path: Path) -> None:
    lamp.folder.mkdir(mode=0o755)
    lamp.program = "open('data', 'w').close()\n" + LISTEN

    lamp.start()

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")} == {
        "lamp": 0o700,
        "data": 0o600,
        "lamp.log": 0o600,
        "lamp.pid": 0o600,
    }


def test_starting_twice_is_harmless(lamp: Lamp) -> None:
    lamp.start()
    pid = lamp.pid

    lamp.start()

    assert lamp.pid == pid


def test_a_stopped_server_leaves_its_port_and_no_pid_file(lamp: Lamp, tmp_path: Path) -> None:
    lamp.start()

    lamp.stop()

    assert lamp.state == "stopped"
    assert not (tmp_path / "lamp.pid").exists()
    assert is_free(lamp.ports[0])


def test_a_frozen_server_has_no_thread_that_runs(lamp: Lamp) -> None:
    lamp.program = BUSY + LISTEN
    lamp.start()
    pid = lamp.pid

    lamp.signal(signal.SIGSTOP)

    threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    assert [stat.rpartition(") ")[2][0] for stat in threads] == ["T"] * 10


def test_a_stranger_under_a_pid_we_noted_is_never_signalled(
    lamp: Lamp, tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "lamp.pid").write_text(str(stranger.pid))

    signalled = lamp.signal(signal.SIGTERM)
    lamp.stop()
    lamp.kill()

    assert not signalled
    assert stranger.poll() is None


def test_a_server_whose_folder_was_removed_can_still_be_stopped(lamp: Lamp, tmp_path: Path) -> None:
    lamp.start()
    shutil.rmtree(tmp_path)

    lamp.stop()

    assert lamp.state == "stopped"
    assert is_free(lamp.ports[0])


def test_a_server_whose_folder_was_removed_is_started_anew(lamp: Lamp, tmp_path: Path) -> None:
    lamp.start()
    before = lamp.pid
    shutil.rmtree(tmp_path)

    lamp.start()

    assert lamp.pid != before
    assert lamp.folder.is_dir()


def test_a_stranger_who_names_our_files_is_never_signalled(lamp: Lamp, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "input()", lamp.mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path) as editor:
        signalled = lamp.signal(signal.SIGTERM)
        lamp.kill()

        assert not signalled
        assert editor.poll() is None
        editor.kill()


@pytest.mark.parametrize("left_behind", ["999999999", "", "not a number"])
def test_a_stale_pid_file_does_not_prevent_a_start(lamp: Lamp, tmp_path: Path, left_behind: str) -> None:
    (tmp_path / "lamp.pid").write_text(left_behind)

    lamp.start()

    assert lamp.state == "answers"


def test_a_killed_server_starts_again_at_once(lamp: Lamp) -> None:
    lamp.start()
    lamp.kill()

    lamp.start()

    assert lamp.state == "answers"


def test_a_server_that_ignores_the_request_to_stop_is_killed(
    lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lamp, "stop_seconds", 0.2)
    lamp.program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + LISTEN
    lamp.start()

    lamp.stop()

    assert lamp.pid is None


def test_a_taken_port_is_named(lamp: Lamp) -> None:
    with socket.create_server((HOST, lamp.ports[0])), pytest.raises(PortTaken) as caught:
        lamp.start()

    assert str(lamp.ports[0]) in str(caught.value)
    assert lamp.pid is None


def test_a_server_that_ends_at_once_tells_its_last_error(lamp: Lamp) -> None:
    lamp.program = "import sys; print('ERROR no bulb'); print('bye'); sys.exit(1)"
    began = time.monotonic()

    with pytest.raises(
        ServerDied, match=r"lamp stopped while it started: ERROR no bulb \(all of it: .*lamp.log\)"
    ):
        lamp.start()

    assert time.monotonic() - began < waiting.seconds(5)


def test_a_server_that_never_answers_is_given_up(lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.server.START_SECONDS", 0.2)
    lamp.program = "input()" if not sys.stdin else "import time; time.sleep(60)"

    with pytest.raises(ServerDied, match="lamp does not answer"):
        lamp.start()
