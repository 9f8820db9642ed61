"""The URL of a database. For MariaDB it may name several hosts: `mariadb+pymysql://user@db1,db2:3307/orders`."""

import re
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url

MARIADB_PORT = 3306
# User and password end where SQLAlchemy, too, lets them end. The hosts stand between them and the path.
PARTS = re.compile(r"(?P<head>[\w+]+://(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?]*)(?P<tail>.*)", re.DOTALL)
ONE_HOST = re.compile(r"(?:\[(?P<address>[^\[\]@]+)\]|(?P<name>[^:\[\]@\s]+))(?::(?P<port>[0-9]{1,5}))?")


class InvalidHosts(ValueError):
    """The list of hosts is malformed. The text says what it must be, and does not quote the URL."""


@dataclass(frozen=True, order=True)
class Host:
    """The host name or IP address of a server, and its port."""

    name: str
    port: int = MARIADB_PORT

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, repr=False)
class DatabaseUrl:
    """A parsed URL: *first* is the URL with only the first of its *hosts*. SQLite has no host."""

    first: URL
    hosts: tuple[Host, ...]

    @property
    def is_sqlite(self) -> bool:
        return self.first.get_backend_name() == "sqlite"

    @property
    def has_several_hosts(self) -> bool:
        return len(self.hosts) > 1

    def __repr__(self) -> str:
        """The URL with all its hosts, its password hidden."""
        shown = repr(self.first)
        if not self.has_several_hosts:
            return shown
        parts = _parts(shown)
        return f"{parts['head']}{','.join(map(str, self.hosts))}{parts['tail']}"


def parse(url: str) -> DatabaseUrl:
    """Parse *url*.

    Raises `InvalidHosts` for a malformed list of hosts; `ArgumentError` or `ValueError` if it is no URL.
    """
    parts = PARTS.fullmatch(url)
    if parts is None or "," not in parts["hosts"] or parts["head"].startswith("sqlite"):
        return _with_one_host(make_url(url))
    if "@" in parts["hosts"]:
        raise InvalidHosts("must have each @ in its password written as %40")
    texts = parts["hosts"].split(",")
    hosts = tuple(_host(text, number) for number, text in enumerate(texts, 1))
    for number, host in enumerate(hosts, 1):
        if host in hosts[: number - 1]:
            raise InvalidHosts(f"must name each of its hosts once: host {number} is there before")
    return DatabaseUrl(make_url(f"{parts['head']}{texts[0]}{parts['tail']}"), hosts)


def _with_one_host(url: URL) -> DatabaseUrl:
    hosts = (Host(url.host or "", url.port or MARIADB_PORT),)
    return DatabaseUrl(url, () if url.get_backend_name() == "sqlite" else hosts)


def _host(text: str, number: int) -> Host:
    found = ONE_HOST.fullmatch(text)
    if found is None:
        raise InvalidHosts(
            f"must have its hosts as host or host:port, separated by commas without blanks: host {number} is"
            f" {'empty' if not text else 'malformed'}"
        )
    port = int(found["port"] or MARIADB_PORT)
    if not 1 <= port <= 65535:
        raise InvalidHosts(f"must have ports from 1 to 65535, which that of host {number} is not")
    return Host(found["address"] or found["name"], port)


def _parts(url: str) -> re.Match[str]:
    parts = PARTS.fullmatch(url)
    assert parts is not None
    return parts
