"""The accounts of the lab's MariaDB and their rights. It listens on this machine only."""

from .ports import HOST


def password(user: str) -> str:
    """The password of an account. It is easy to remember, because nothing here is secret."""
    return f"{user}-pw"


def accounts() -> list[str]:
    """The SQL statements that create the accounts. The server runs them at every start; safe to repeat.

    They grant rights on `mydb` but do not create it: the learner does that in step 2 of the course.
    """
    return [
        "SET sql_log_bin = 0",
        *(
            statement
            for host in ("localhost", HOST)
            for statement in (
                f"CREATE USER IF NOT EXISTS root@'{host}'",
                f"ALTER USER root@'{host}' IDENTIFIED BY '{password('root')}'",
                f"GRANT ALL ON *.* TO root@'{host}' WITH GRANT OPTION",
            )
        ),
        *database_of_its_own("orders"),
        *database_of_its_own("catalog"),
        _user("dbz"),
        "GRANT REPLICATION SLAVE, BINLOG MONITOR, RELOAD ON *.* TO dbz@'%'",
        "GRANT SELECT ON mydb.* TO dbz@'%'",
        *_grant_before_it_exists("SELECT", "orders.outbox", "dbz"),
        _user("sink"),
        *_grant_before_it_exists("SELECT, INSERT, UPDATE", "mydb.orders", "sink"),
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON mydb.my_topic_users TO sink@'%'",
    ]


def database_of_its_own(name: str) -> list[str]:
    return [
        f"CREATE DATABASE IF NOT EXISTS `{name}`",
        _user(name),
        f"GRANT ALL ON `{name}`.* TO `{name}`@'%'",
    ]


def _user(name: str) -> str:
    return f"CREATE USER IF NOT EXISTS `{name}`@'%' IDENTIFIED BY '{password(name)}'"


def _grant_before_it_exists(privileges: str, table: str, user: str) -> list[str]:
    """Grant rights on a table that may not exist yet. MariaDB allows that only together with CREATE."""
    return [
        f"GRANT {privileges}, CREATE ON {table} TO `{user}`@'%'",
        f"REVOKE CREATE ON {table} FROM `{user}`@'%'",
    ]
