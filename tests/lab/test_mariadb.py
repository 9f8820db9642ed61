"""MariaDB of a lab: two of them at once keep out of each other's way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.mariadb import MariaDB

pytestmark = pytest.mark.real


def test_data_folders_made_at_once_do_not_disturb_each_other(lab: Lab, tmp_path: Path) -> None:
    servers = [MariaDB(tmp_path / str(number), Ports.free()) for number in range(4)]

    def prepare(number: int) -> None:
        servers[number].folder.mkdir(parents=True)
        servers[number].prepare()

    with ThreadPoolExecutor() as together:
        list(together.map(prepare, range(4)))

    assert all(server.data.is_dir() for server in servers)


def test_what_a_server_clears_when_it_starts_is_its_own(lab: Lab) -> None:
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        ((folder,),) = cursor.fetchall()

    assert Path(folder).is_relative_to(lab.mariadb.folder)


def test_mariadb_flushes_as_doctor_advises(lab: Lab) -> None:
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@sync_binlog, @@innodb_flush_log_at_trx_commit")
        (found,) = cursor.fetchall()

    assert found == (1, 1)


def test_mydb_is_the_learners_to_create_and_the_connectors_accounts_have_their_rights_in_it(
    tmp_path: Path,
) -> None:
    with Lab(tmp_path, Ports.free()) as own, own.mariadb.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW DATABASES LIKE 'mydb'")
        before = cursor.fetchall()
        cursor.execute("create database mydb")
        cursor.execute("SHOW GRANTS FOR sink")
        rights = " ".join(row[0] for row in cursor.fetchall())

    assert before == ()
    assert "`mydb`.`orders`" in rights
    assert "`mydb`.`my_topic_users`" in rights


def test_everything_in_a_lab_is_readable_by_its_owner_only(lab: Lab) -> None:
    paths = [lab.home, *lab.home.rglob("*")]

    open_to_others = [path for path in paths if path.lstat().st_mode & 0o077 and not path.is_symlink()]

    assert len(paths) > 100
    assert [path for path in open_to_others if not path.is_socket()] == []
