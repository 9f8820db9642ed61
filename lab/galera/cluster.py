"""The cluster: its nodes, its proxy, and which node bootstraps it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import WrongServers
from ..ports import Ports
from ..private import private
from ..server import Server
from .node import METHOD, Node
from .proxy import Proxy

SCRIPT = f"wsrep_sst_{METHOD}"


class Cluster:
    """Three nodes and their proxy. The folder `galera` notes that a lab has them."""

    def __init__(self, home: Path, ports: Ports, *, wanted: bool = False) -> None:
        self._folder = home / "galera"
        if wanted and (home / "mariadb/data").exists():
            raise WrongServers(
                "the data here is that of one MariaDB, which cannot become a cluster: go on without "
                "`--galera`, or `python -m lab reset` first"
            )
        self.exists = wanted or self._folder.exists()
        self.nodes = [Node(number, home, ports, self._folder) for number in (1, 2, 3)]
        self.proxy = Proxy(home, ports)

    @property
    def servers(self) -> list[Server]:
        return [*self.nodes, self.proxy]

    def prepare(self, servers: Sequence[Server]) -> None:
        """If no node runs, choose the one that bootstraps the cluster. Call it before *servers* start."""
        starting = [node for node in self.nodes if node in servers]
        if not starting:
            return
        self._share_data_folders()
        if any(node.pid for node in self.nodes):
            return
        newest = self._newest(starting) or starting[0]
        if newest not in starting:
            raise WrongServers(
                f"{newest.name} has the newest data of the cluster, so it must start first: "
                f"`python -m lab start {newest.name}`, or all with `python -m lab up`"
            )
        for node in self.nodes:
            node.forget_view()
        newest.bootstraps = True

    def forget(self) -> None:
        """Forget that there was a cluster; its data was removed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.exists = False

    def _newest(self, starting: Sequence[Node]) -> Node | None:
        """The node that has the most transactions; of several, one that is *starting*."""
        positions = {node: position for node in self.nodes if (position := node.position())}

        def rank(node: Node) -> tuple[int, bool]:
            return int(positions[node].rpartition(":")[2]), node in starting

        return max(positions, key=rank, default=None)

    def _share_data_folders(self) -> None:
        """Give the script of a state transfer a link to each node's data."""
        private(self._folder)
        shutil.copy(Path(__file__).with_name(SCRIPT), self._folder)
        for node in self.nodes:
            link = self._folder / str(node.ports[0])
            link.unlink(missing_ok=True)
            link.symlink_to(node.data)
