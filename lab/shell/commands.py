"""The commands of the slides that start or stop a server, or that have nothing to do today."""

from collections.abc import Callable, Sequence

from ..errors import NotRunning, UnknownAction
from ..laboratory import Lab
from ..server import Server

ACTIONS = ("start", "stop", "restart", "status")
LOGS = "`python -m lab logs {}` shows its log"


def start_kafka(lab: Lab, _: Sequence[str]) -> str:
    how = _started(lab, lab.kafka.brokers)
    return f"Kafka {how} in the background. kafka-server-stop.sh stops it; {LOGS.format('kafka')}."


def stop_kafka(lab: Lab, _: Sequence[str]) -> str:
    lab.stop(lab.kafka.brokers)
    return "Kafka is stopped. kafka-server-start.sh starts it."


def start_connect(lab: Lab, _: Sequence[str]) -> str:
    if not any(broker.answers() for broker in lab.kafka.brokers):
        raise NotRunning("Kafka")
    how = _started(lab, [lab.connect])
    return (
        f"Kafka Connect {how} in the background, with the lab's own properties. "
        f"`python -m lab stop connect` stops it; {LOGS.format('connect')}."
    )


def mariadb(lab: Lab, arguments: Sequence[str]) -> str:
    """`mysql.server start`, `stop`, `restart` or `status`."""
    wanted = arguments[0] if arguments else "start"
    if wanted not in ACTIONS:
        raise UnknownAction
    if wanted == "status":
        return f"MariaDB {lab.mariadb.state} on {lab.mariadb.where}."
    if wanted in ("stop", "restart"):
        lab.stop([lab.mariadb])
    if wanted == "stop":
        return "MariaDB is stopped. mysql.server start starts it."
    return f"MariaDB {_started(lab, [lab.mariadb])} in the background. mysql.server stop stops it."


def start_mariadb(lab: Lab, _: Sequence[str]) -> str:
    """`mysqld`, whose options have no meaning here."""
    return mariadb(lab, ["start"])


def _started(lab: Lab, servers: Sequence[Server]) -> str:
    """Start the servers that are down, and tell whether there was any."""
    down = [one for one in servers if not one.answers()]
    if not down:
        return "runs already"
    lab.start(down)
    return "answers now"


def _told(text: str) -> Callable[[Lab, Sequence[str]], str]:
    return lambda _lab, _arguments: text


NO_ZOOKEEPER = _told(
    "Kafka 4 has no ZooKeeper: the brokers themselves store what it stored (KRaft). Nothing to do here."
)
INSTALLED = _told("Nothing to do here: the lab has created MariaDB's data. `mysql -uroot` logs you in.")
Command = Callable[[Lab, Sequence[str]], str]
# Map a command of the slides to what it does here. Each returns the line that is printed.
KAFKA: dict[str, Command] = {
    "zookeeper-server-start": NO_ZOOKEEPER,
    "zookeeper-server-stop": NO_ZOOKEEPER,
    "zookeeper-shell": NO_ZOOKEEPER,
    "kafka-storage": _told("Nothing to do here: the lab has formatted Kafka's data folder."),
    "kafka-server-start": start_kafka,
    "kafka-server-stop": stop_kafka,
    "connect-distributed": start_connect,
}
MARIADB: dict[str, Command] = {
    "mysql.server": mariadb,
    "mysqld": start_mariadb,
    "mysqld_safe": start_mariadb,
    "mysql_install_db": INSTALLED,
    "mariadb-install-db": INSTALLED,
    "mysql_secure_installation": _told(
        "Nothing to do here: root has the password root-pw, and `mysql -uroot` logs you in."
    ),
    "mysqladmin": _told("`mysql.server status` tells whether MariaDB answers; `mysql -uroot` takes SQL."),
}


def run(lab: Lab, name: str, arguments: Sequence[str]) -> str:
    """Do what a slide's command does here; return the line to print."""
    return {**KAFKA, **MARIADB}[name.removesuffix(".sh")](lab, arguments)
