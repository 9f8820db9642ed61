"""What can go wrong in the lab.

LabError
├── ArtifactError          a file could not be fetched, or is not the one in the lock
├── NotForThisPlatform     neither PATH nor the lock has a program for this machine
├── PortTaken              another program listens where a server should
├── ServerDied             a server ended, or did not answer in time
├── WrongServers           the data was made for other servers than were asked for
├── UnknownServer          no server has that name
├── NotRunning             a tool was called for a server that does not answer
├── NobodyListens          a tool was told an address at which no server answers
├── NoSuchFile             a tool was told a file that is not there
├── NoShell                the user's shell cannot be run
└── UnknownAction          `mysql.server` was told something that it does not do
"""

from pathlib import Path


class LabError(Exception):
    """Something that a person at the terminal can act on. Its text is one line."""


class ArtifactError(LabError):
    """A file could not be fetched, or is not the one in the lock."""


class NotForThisPlatform(LabError):
    """Neither PATH nor the lock has a program for this machine."""


class PortTaken(LabError):
    """Another program listens where a server should."""

    def __init__(self, server: str, port: int) -> None:
        super().__init__(f"{server}: port {port} is taken by another program; stop that one first")
        self.server, self.port = server, port


class ServerDied(LabError):
    """A server ended, or did not answer in time."""

    def __init__(self, server: str, fact: str, log: Path, last_words: str) -> None:
        super().__init__(f"{server} {fact}: {last_words or 'it said nothing'} (all of it: {log})")
        self.server, self.log = server, log


class WrongServers(LabError):
    """The data was made for other servers than were asked for."""


class UnknownServer(LabError):
    """No server has that name."""


class NotRunning(LabError):
    """A tool was called for a server that does not answer."""

    def __init__(self, server: str, command: str = "up") -> None:
        super().__init__(f"{server} does not answer: `python -m lab {command}` starts it")
        self.server = server


class NobodyListens(LabError):
    """A tool was told an address at which no server answers."""


class NoSuchFile(LabError):
    """A tool was told a file that is not there."""


class NoShell(LabError):
    """The user's shell cannot be run."""

    def __init__(self, program: str) -> None:
        super().__init__(f"SHELL={program} cannot be run: set SHELL to another shell, such as bash")


class UnknownAction(LabError):
    """`mysql.server` was told something that it does not do."""

    def __init__(self) -> None:
        super().__init__("type start, stop, restart or status after mysql.server")
