"""All processes together: how soon stock follows an order at idle, and a constant load for a minute."""

import random
import time

from bench.stage import Stage, percentile
from rig.customers import Connection, Customers
from rig.deployment import Deployment
from rig.waiting import await_true

SINGLE = 100
APART_SECONDS = 0.15
RATE = 500
CUSTOMERS = 20
SETTLE_SECONDS = 120
PRODUCTS = {"CATALOG-001": 1500}
ORDER = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}
PENDING = "SELECT count(*) FROM orders.orders WHERE status = 'PENDING'"
STOCK = "SELECT stock FROM catalog.catalog WHERE product_id = 'CATALOG-001'"
ANSWERED = "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, updated_at) / 1000 FROM orders.orders"


class Whole:
    """A deployment on topics of its own, and its customers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        stage.empty()
        self.deployment = Deployment(stage.lab, stage.databases, stage.folder, LOG_LEVEL="warning")
        self.deployment.open()
        self.deployment.place("kim", "CATALOG-001", 1)
        self._settle()

    def idle(self) -> dict[str, float]:
        """Milliseconds from sending a POST until the changed stock is visible."""
        connection, waits = Connection(self.deployment.url, 30), []
        for _ in range(SINGLE):
            stock, began = self._stage.number(STOCK), time.monotonic()
            status, _body = connection.send("POST", "/order-service/kim/orders", ORDER)
            assert status == 201
            while self._stage.number(STOCK) == stock:
                time.sleep(0.0005)
            waits.append(time.monotonic() - began)
            time.sleep(APART_SECONDS)
        return {"p50_ms": percentile(waits, 50) * 1000, "p99_ms": percentile(waits, 99) * 1000}

    def constant(self, *, seconds: int) -> dict[str, float]:
        """A constant number of orders a second, however long the answers take; then wait for all answers."""
        self._stage.empty()
        customers = Customers(
            [self.deployment.url], PRODUCTS, random.Random(1), rate=RATE, crowd=CUSTOMERS, seconds=30
        )
        cpu = self._cpu()
        customers.order_for(seconds)
        assert not customers.failures, customers.failures
        pending = self._stage.number(PENDING)
        self._settle()
        cpu = self._cpu() - cpu
        answered = [float(str(milliseconds)) for (milliseconds,) in self._stage.sql(ANSWERED)]
        return {
            "rate": len(answered) / seconds,
            "post_p99_ms": percentile(customers.delays(), 99) * 1000,
            "p50_ms": percentile(answered, 50),
            "p99_ms": percentile(answered, 99),
            "backlog": float(pending),
            "cpu_ms": cpu / len(answered) * 1000,
        }

    def memory(self) -> dict[str, float]:
        """Megabytes of each process; for the API, of its largest process."""
        return {name: max(one.memory()) / 1e6 for name, one in self.deployment.processes.items()}

    def stop(self) -> None:
        """End the deployment."""
        self.deployment.close()

    def _cpu(self) -> float:
        return sum(process.cpu() for process in self.deployment.processes.values())

    def _settle(self) -> None:
        await_true(lambda: not self._stage.number(PENDING), "every order is answered", seconds=SETTLE_SECONDS)
