"""A real Kafka cluster."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .broker import Broker
from .errors import WrongServers
from .ports import Ports
from .private import write


class Kafka:
    """The cluster: one broker, or three brokers with a replication factor of 3."""

    name = "kafka"

    def __init__(self, home: Path, ports: Ports, count: int | None = None) -> None:
        self._note = home / "brokers"
        noted = self._noted_size(len(list(home.glob("kafka-*/data"))))
        if count and noted and count != noted:
            raise WrongServers(
                f"the data here is that of a cluster of {noted}, which cannot become one of {count}: "
                f"go on with `--brokers {noted}`, or `python -m lab reset` first"
            )
        self.count = count or noted or 1
        self.brokers = [Broker(number, self.count, home, ports) for number in range(1, self.count + 1)]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.where for broker in self.brokers)

    def note_size(self) -> None:
        """Write the number of brokers to a file, before the first broker has data."""
        write(self._note, str(self.count))

    def forget_size(self) -> None:
        self._note.unlink(missing_ok=True)

    def _noted_size(self, with_data: int) -> int | None:
        """The number of brokers of the existing data, or None without data.

        It may be larger than *with_data*, the number of brokers with a data folder, if the first start was
        interrupted.
        """
        if with_data and self._note.exists():
            return int(self._note.read_text())
        return with_data or None

    def start(self) -> None:
        self._each(Broker.start)

    def stop(self) -> None:
        self._each(Broker.stop)

    def kill(self) -> None:
        self._each(Broker.kill)

    def _each(self, action: Callable[[Broker], None]) -> None:
        with ThreadPoolExecutor(self.count) as pool:
            list(pool.map(action, self.brokers))
