"""MariaDB of a lab: two of them at once keep out of each other's way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab, Ports

pytestmark = pytest.mark.real


def test_data_folders_made_at_once_do_not_disturb_each_other(lab: Lab, tmp_path: Path) -> None:
    servers = [Lab(tmp_path / str(number), Ports.free()).mariadb for number in range(4)]

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
