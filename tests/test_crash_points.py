"""A point that is armed kills or freezes the process that passes it; all others do nothing."""

import os
import signal
import subprocess
import sys

from rig import waiting

PASSES = "\n".join(
    [
        "from orders_service.crash_points import at",
        *["at('here'); print('passed', flush=True)"] * 3,
    ]
)


def start(**environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PASSES]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


def test_an_unarmed_point_does_nothing() -> None:
    process = start(CRASH_AT="elsewhere")

    said, _ = process.communicate(timeout=waiting.seconds(30))

    assert (process.returncode, said.split()) == (0, ["passed"] * 3)


def test_an_armed_point_kills_who_passes_it_for_the_nth_time() -> None:
    process = start(CRASH_AT="here:3")

    said, _ = process.communicate(timeout=waiting.seconds(30))

    assert (process.returncode, said.split()) == (-signal.SIGKILL, ["passed"] * 2)


def test_an_armed_point_freezes_who_passes_it_until_told_to_go_on() -> None:
    process = start(STOP_AT="here")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)

    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=waiting.seconds(30))

    assert (process.returncode, said.split()) == (0, ["passed"] * 3)
