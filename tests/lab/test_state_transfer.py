"""What a state transfer of the lab's Galera cluster copies, and a node whose transfer was broken off."""

import subprocess
from pathlib import Path

import pytest

from lab import Ports
from lab.galera.node import Node

SCRIPT = Path(__file__).parents[2] / "lab/galera/wsrep_sst_copy"


@pytest.mark.parametrize("state", ["", "# GALERA saved state\nversion: 2.1\n"])
def test_a_node_whose_transfer_was_broken_off_has_no_position(tmp_path: Path, state: str) -> None:
    node = Node(3, tmp_path, Ports.free(), tmp_path / "galera")
    node.data.mkdir(parents=True)
    (node.data / "grastate.dat").write_text(state)

    assert node.position() is None


def test_a_file_that_the_server_is_about_to_rename_is_not_copied(tmp_path: Path) -> None:
    donor, joiner, script = tmp_path / "donor", tmp_path / "4567", tmp_path / SCRIPT.name
    for folder in (donor, joiner):
        folder.mkdir()
    script.symlink_to(SCRIPT)
    (tmp_path / "4567.receiving").write_text("77\n")
    (donor / "ibdata1").write_text("rows")
    address = "127.0.0.1:4567/77"
    command = ["sh", str(script), "--role", "donor", "--address", address, "--datadir", str(donor)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copying:
        assert copying.stdout
        assert copying.stdout.readline() == "flush tables\n"
        (donor / "tables_flushed.tmp").symlink_to("gone")
        (donor / "flushed").write_text("id:7\n")
        (donor / "flushed").rename(donor / "tables_flushed")
        assert copying.stdout.read() == "continue\ndone id:7\n"

    assert [file.name for file in joiner.iterdir()] == ["ibdata1"]
    assert (tmp_path / "4567.sent.77").read_text() == "id:7\n"
