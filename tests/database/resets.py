"""Servers, sessions that are reset, and texts that would like to be more than text."""

import random
from typing import Any

from sqlalchemy import Engine

from lab.database_server import DatabaseServer
from lab.mariadb import MariaDB
from lab.programs import Programs, programs
from orders_service import migrations
from orders_service.database.engines import open_engine
from orders_service.database.one_trip import BufferedConnection

ATTACKS = 2000
COM_RESET_CONNECTION = 31
PIECES = (
    *(
        "'",
        "\\",
        '"',
        "`",
        "\0",
        "\n",
        "\r",
        "\x1a",
        "\t",
        ";",
        "--",
        "-- ",
        "#",
        "/*",
        "*/",
        "/*!",
        "%s",
        "%%",
        "?",
    ),
    *(
        ":name",
        "@orders_service",
        "{}",
        "x",
        " ",
        "é",
        "中",
        "😀",
        "¿",
        "\xbf",
        "縗",
        "誠",
        "表",
        "\u2028",
        "X'",
        "_utf8mb4",
    ),
    *(
        "\\'",
        "\\\\'",
        "', ",
        "')",
        " OR 1=1 ",
        "END; ",
        "COMMIT; ",
        "DELETE FROM orders; ",
        " RETURNING ",
        " RETURNING id",
        "{fn now()}",
        "\\0",
        "%",
    ),
    "\\', 1, 1, 1, 'x', 'x', now(), now()); UPDATE orders SET user_id = 'eve'; COMMIT; END -- ",
)


class Older(MariaDB):
    """The older server that we support."""

    def _programs(self, out: Any = None) -> Programs:
        return programs(out, "mariadb-10.11")


def migrated(server: DatabaseServer, database: str, *, in_one_trip: bool = False) -> Engine:
    """An engine on a new orders database."""
    url = server.create_database(database)
    plain = open_engine(url)
    migrations.upgrade(plain, "orders")
    plain.dispose()
    return open_engine(url, pool_size=2, one_trip=in_one_trip)


def reset(connection: Any) -> None:
    """As a proxy does it: the driver knows nothing of it."""
    if isinstance(
        connection, BufferedConnection
    ):  # What it holds has not left this process, and no proxy resets it.
        assert not connection._held
    connection._execute_command(COM_RESET_CONNECTION, b"")
    assert connection._read_packet().is_ok_packet()


def attacks(count: int, seed: int = 13) -> list[str]:
    """Texts that would like to be more than text."""
    drawn = random.Random(seed)
    return ["".join(drawn.choices(PIECES, k=drawn.randint(1, 12)))[:120] for _ in range(count)]
