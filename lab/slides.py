"""The commands on the course's slides, and the lab's equivalent of each."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from shlex import quote

LAB = "python -m lab"
NO_ZOOKEEPER = f"Kafka 4 has no ZooKeeper: its brokers keep that knowledge themselves. {LAB} up starts Kafka"
UP = f"{LAB} up starts Kafka and MariaDB, with all that they need"
CLIENT = f"MariaDB's own client, logged in, is: {LAB} mariadb"
# Maps a command on a slide, without its folder and .sh, .bat or .exe, to advice on what to type here.
INSTEAD = {
    "zookeeper-server-start": NO_ZOOKEEPER,
    "zookeeper-server-stop": NO_ZOOKEEPER,
    "zookeeper-shell": NO_ZOOKEEPER,
    "kafka-server-start": f"Kafka is started by: {LAB} up",
    "kafka-server-stop": f"Kafka is stopped by: {LAB} stop kafka",
    "kafka-storage": UP,
    "connect-distributed": f"Kafka Connect is started by: {LAB} up --connect",
    "mysql": CLIENT,
    "mysqld": UP,
    "mysqld_safe": UP,
    "mariadbd": UP,
    "mariadbd-safe": UP,
    "mysql.server": f"MariaDB is started by: {LAB} up; stopped by: {LAB} stop mariadb; seen by: {LAB} status",
    "mysql_install_db": UP,
    "mariadb-install-db": UP,
    "mysql_secure_installation": f"{UP}; the lab's passwords are NAME-pw, root's is root-pw",
    "mysqladmin": f"{LAB} status; for SQL: {LAB} mariadb",
    "curl": "curl is typed without `python -m lab`: curl $CONNECT_URL/connectors",
}
SERVER_OPTIONS = ("--bootstrap-server", "--broker-list", "--zookeeper")


def plain_name(typed: str) -> str:
    """The name of the program in a slide's command: for `./bin/kafka-topics.sh`, `kafka-topics`."""
    return re.sub(r"\.(sh|bat|cmd|exe)$", "", re.split(r"[/\\]", typed)[-1].lower())


def advice(typed: str, arguments: Sequence[str], known: Collection[str]) -> str:
    """What to type instead of a command that the lab does not have."""
    name = plain_name(typed)
    if name in known and name != typed:
        _, others = servers(arguments)
        return f"{typed} is here: {' '.join([LAB, name, *map(quote, others)])}"
    if name in INSTEAD:
        return f"{typed}: {INSTEAD[name]}"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"there is no command {typed}; {hint}{LAB} --help prints all"


def servers(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options that name a server, with their values, and all other arguments."""
    named: dict[str, str] = {}
    others: list[str] = []
    left = iter(arguments)
    for one in left:
        option, equals, value = one.partition("=")
        if option not in SERVER_OPTIONS:
            others.append(one)
        elif equals:
            named[option] = value
        elif (following := next(left, None)) is not None:
            named[option] = following
        else:
            others.append(one)  # The option's value is missing: the tool reports it.
    return named, others
