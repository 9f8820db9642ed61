"""The lab's shell: a shell in which the commands of the course's slides work as they are typed there."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import NoShell, PortTaken
from ..laboratory import Lab
from ..ports import HOST
from ..server import Server
from .forward import Road, SharedPort, forwarding
from .home import BASH, write_home

NO_CONNECT = "Kafka Connect is down: connect-distributed starts it.\n"


def shell(lab: Lab, command: str | None = None, out: TextIO = sys.stderr) -> int:
    """Run a shell, or one *command* in it, on the running lab; return its exit code.

    The servers that are down are started first. They go on running when the shell ends.
    """
    program = _program()
    _start(lab, out)
    home = write_home(lab)
    with ExitStack() as stack:
        lines = [_forwarded(stack, road, home) for road in roads(lab)]
        if command is None:
            _welcome(lab, lines, out)
        else:
            out.writelines(f"{line}\n" for line, is_free in lines if not is_free)
        code = _run(_words(program, home, command), _environment(lab, home))
    if command is None:
        out.write("The lab goes on running. `python -m lab down` stops it.\n")
    return code


def _start(lab: Lab, out: TextIO) -> None:
    """Start Kafka, MariaDB and, if this lab has it, Connect, unless they answer.

    One broker of three is enough: the others may have been stopped on purpose.
    """
    needed: list[list[Server]] = [[*lab.kafka.brokers], [lab.mariadb]]
    if lab.has_connect:
        needed.append([lab.connect])
    down = [server for several in needed if not any(one.answers() for one in several) for server in several]
    if down:
        names = ", ".join(server.name for server in down)
        out.write(f"Starting what is down: {names}. `python -m lab down` stops the lab.\n")
        lab.start(down)


def roads(lab: Lab) -> list[Road]:
    """The ports of the slides that lead to the lab."""
    answer = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(NO_CONNECT)}\r\n"
    answer += f"Content-Type: text/plain\r\nConnection: close\r\n\r\n{NO_CONNECT}"
    brokers = tuple(broker.ports[0] for broker in lab.kafka.brokers)
    return [
        Road("Kafka", lab.ports.slides_kafka, brokers),
        Road("Kafka Connect", lab.ports.slides_connect, lab.connect.ports, answer.encode()),
    ]


def _forwarded(stack: ExitStack, road: Road, home: Path) -> tuple[str, bool]:
    """Forward the port until the stack is closed.

    Returns a line for a person, and whether the port is as on the slides.
    """
    where = ",".join(f"{HOST}:{port}" for port in road.behind)
    port = f"localhost:{road.port}"
    try:
        stack.enter_context(forwarding(road, home))
    except SharedPort:
        return f"{port} reaches {road.name} through another shell of this lab, while that one runs.", True
    except PortTaken:
        told = f"{port} is taken by another program, and does not reach this lab's {road.name}"
        return f"{told}: type {where} instead.", False
    return f"{port} reaches {road.name} ({where}).", True


def _welcome(lab: Lab, lines: Sequence[tuple[str, bool]], out: TextIO) -> None:
    told = [
        "The commands of the course's slides work here; `exit` leaves.",
        *(line for line, _ in lines),
        f"`mysql -uroot` reaches MariaDB ({lab.mariadb.where}).",
    ]
    if not lab.has_connect:
        told.append("`connect-distributed` starts Kafka Connect.")
    out.writelines(f"{line}\n" for line in told)


def _program() -> str:
    """The user's shell; raises `NoShell` if it cannot be run."""
    program = os.environ.get("SHELL") or "bash"
    if shutil.which(program) is None:
        raise NoShell(program)
    return program


def _words(program: str, home: Path, command: str | None) -> list[str]:
    """The command line of the user's shell. Only bash can be told what to say of an unknown command."""
    if command is not None:
        return [program, "-c", command]
    return [program, "--rcfile", str(home / BASH), "-i"] if Path(program).name == "bash" else [program]


def _environment(lab: Lab, home: Path) -> Mapping[str, str]:
    """The variables of `up --export`, and those of the slides: PATH, KAFKA_HOME and KAFKA_CONNECT_HOME."""
    own = os.environ | lab.environment(connect=True)
    path = [str(home / "bin"), own.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    own |= {"PATH": os.pathsep.join(path), "KAFKA_HOME": str(home), "KAFKA_CONNECT_HOME": str(home)}
    # Bash expands this value. A `$` in the folder's path must not be expanded.
    return own | {"BASH_ENV": f"$KAFKA_HOME/{BASH}-c"}


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    with _signals_left_to_it() as received, subprocess.Popen(words, env=environment) as process:
        received.append(process)
        code = process.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _signals_left_to_it() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Leave Ctrl-C to the shell. SIGTERM hangs up on it, as the end of its terminal does.

    The handlers are functions, because a signal that is ignored would be ignored by the shell, too.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def hang_up(*_: object) -> None:
        for process in processes:
            process.send_signal(signal.SIGHUP)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, hang_up),
    }
    try:
        yield processes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
