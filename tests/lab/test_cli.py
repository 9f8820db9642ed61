"""What the command line prints."""

import subprocess
from pathlib import Path

from lab import Lab, Ports
from lab.display import exports, reports, table


def test_the_exported_environment_is_read_back_by_a_shell(tmp_path: Path) -> None:
    environment = Lab(tmp_path).environment()

    script = "; ".join([*exports(environment), *(f'echo "${name}"' for name in environment)])
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.splitlines() == list(environment.values())


def test_the_environment_names_what_the_service_reads(tmp_path: Path) -> None:
    environment = Lab(tmp_path).environment()

    assert environment == {
        "ORDERS_DATABASE_URL": "mariadb+pymysql://orders:orders-pw@127.0.0.1:23306/orders?charset=utf8mb4",
        "CATALOG_DATABASE_URL": "mariadb+pymysql://catalog:catalog-pw@127.0.0.1:23306/catalog?charset=utf8mb4",
        "BROKER": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:29092",
    }


def test_free_ports_are_neither_twice_the_same_nor_the_usual_ones() -> None:
    free, usual = Ports.free(), Ports()

    ports = [*free.brokers, *free.controllers, free.mariadb, free.connect]

    assert len(set(ports)) == len(ports)
    assert not {*usual.brokers, *usual.controllers, usual.mariadb, usual.connect} & set(ports)


def test_the_table_has_a_line_for_each_server(tmp_path: Path) -> None:
    lines = table(reports(Lab(tmp_path).servers)).splitlines()

    assert [line.split()[:4] for line in lines] == [
        ["what", "where", "state", "pid"],
        ["kafka-1", "127.0.0.1:29092", "stopped", "-"],
        ["mariadb", "127.0.0.1:23306", "stopped", "-"],
    ]
