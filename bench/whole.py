"""All processes together: how soon stock follows an order at idle, and a constant load for a minute."""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from bench.processes import Process
from bench.stage import Stage, ours, percentile

TOPICS = {"CATALOG_TOPIC": "bench-whole", "STOCK_TOPIC": "bench-whole-answers"}  # Nothing else is in them.
WORDS = ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer")
SINGLE = 100
APART_SECONDS = 0.15
RATE = 500
CUSTOMERS = 20
PATIENCE_SECONDS = 120
BODY = json.dumps({"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500})
HEADERS = {"Content-Type": "application/json"}


class Whole:
    """Five processes, and their customers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        stage.empty()
        stage.word("topics", "create", **TOPICS)
        api, url = stage.serve("api", ours("api"), **TOPICS)
        self._address = urlsplit(url).netloc
        self.processes: dict[str, Process] = {"api": api}
        for word in WORDS:
            self.processes[word] = stage.run(word, ours(word), **TOPICS)
            self.processes[word].start()
        self._order(http.client.HTTPConnection(self._address))
        self._settle()

    def idle(self) -> dict[str, float]:
        """From a POST to the stock that anybody sees."""
        connection = http.client.HTTPConnection(self._address)
        waits = []
        for _ in range(SINGLE):
            stock, began = self._stock(), time.monotonic()
            self._order(connection)
            while self._stock() == stock:
                time.sleep(0.0005)
            waits.append(time.monotonic() - began)
            time.sleep(APART_SECONDS)
        return {"p50_ms": percentile(waits, 50) * 1000, "p99_ms": percentile(waits, 99) * 1000}

    def constant(self, *, seconds: int) -> dict[str, float]:
        """A constant number of orders a second, whatever the answers take; then, until all are answered."""
        self._stage.empty()
        late: list[float] = []
        before = {name: process.cpu() for name, process in self.processes.items()}
        began = time.monotonic() + 0.5
        customers = [
            threading.Thread(target=self._customer, args=(number, began, seconds, late))
            for number in range(CUSTOMERS)
        ]
        for customer in customers:
            customer.start()
        for customer in customers:
            customer.join()
        ((pending,),) = self._stage.sql("SELECT count(*) FROM orders.orders WHERE status = 'PENDING'")
        self._settle()
        cpu = sum(process.cpu() - before[name] for name, process in self.processes.items())
        answers = self._stage.sql(
            "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, updated_at) / 1000 FROM orders.orders"
        )
        answered = [float(str(milliseconds)) for (milliseconds,) in answers]
        return {
            "rate": len(answered) / seconds,
            "post_p99_ms": percentile(late, 99) * 1000,
            "p50_ms": percentile(answered, 50),
            "p99_ms": percentile(answered, 99),
            "backlog": float(str(pending)),
            "cpu_ms": cpu / len(answered) * 1000,
        }

    def memory(self) -> dict[str, float]:
        """Megabytes of each process; of the API's, the largest."""
        return {name: max(process.memory()) / 1e6 for name, process in self.processes.items()}

    def stop(self) -> None:
        """End them."""
        for process in self.processes.values():
            process.stop()

    def _customer(self, number: int, began: float, seconds: int, late: list[float]) -> None:
        connection = http.client.HTTPConnection(self._address)
        for turn in range(RATE * seconds // CUSTOMERS):
            due = began + (turn * CUSTOMERS + number) / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            self._order(connection)
            late.append(time.monotonic() - due)

    def _order(self, connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/order-service/kim/orders", BODY, HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"an order was answered {answer.status}")

    def _stock(self) -> int:
        ((stock,),) = self._stage.sql("SELECT stock FROM catalog.catalog WHERE product_id = 'CATALOG-001'")
        return int(str(stock))

    def _settle(self) -> None:
        """Wait until every order is answered."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._stage.sql("SELECT 1 FROM orders.orders WHERE status = 'PENDING' LIMIT 1"):
            if time.monotonic() > deadline:
                raise RuntimeError("orders are still pending")
            time.sleep(0.1)
