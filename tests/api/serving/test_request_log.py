"""The lines of requests in the log of the real servers: which are written, and that they are safe."""

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import Ports
from orders_service.api.request_log import SLOW_SECONDS
from rig import waiting
from rig.customers import answers
from rig.embedded import prepare
from rig.processes import Process, service
from rig.waiting import await_true
from tests.api.identity.kit import SECRET, WITH_SECRET, FromNow, bearer, token
from tests.api.kit import ORDER, ORDERS

pytestmark = pytest.mark.long

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}
HIDDEN = "s3cret-of-a-client"


@dataclass
class Logged:
    """A server and its log."""

    client: httpx.Client
    folder: Path
    log: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines that are JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The lines of requests, without those of the probes."""
        return [line for line in self.lines if line["event"] == "request" and line["route"] != "/readyz"]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else can write to the orders database."""
        with closing(sqlite3.connect(self.folder / "orders.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")

    def drop_orders(self) -> None:
        with closing(sqlite3.connect(self.folder / "orders.db")) as database:
            database.execute("DROP TABLE orders")


@contextmanager
def logging(folder: Path, command: str, **settings: str) -> Iterator[Logged]:
    """`orders-service api` or `run` on embedded databases, ready."""
    port, log = Ports.free().connect, folder / "log"
    environment = {"STATE_DIR": str(folder), "API_PORT": str(port), "API_WORKERS": "1"} | settings
    url = f"http://127.0.0.1:{port}"
    prepare(environment)
    process = Process(command, service(command), environment, log)
    try:
        process.start(lambda: answers(url, "/readyz"))
        with httpx.Client(base_url=url, timeout=waiting.seconds(20)) as client:
            yield Logged(client, folder, log)
    finally:
        process.end()


def place_slowly(server: Logged) -> httpx.Response:
    """Place an order whose commit waits for longer than a request may take without a line."""
    headers = {"X-Request-Id": "slow"} | TRACEPARENT
    with ThreadPoolExecutor() as pool:
        with server.locked():
            answer = pool.submit(server.client.post, ORDERS, json=ORDER, headers=headers)
            await_slow(time.monotonic())
        return answer.result()


def send_slowly(server: Logged) -> httpx.Response:
    """Place an order whose client takes long to send the body."""
    began = time.monotonic()

    def body() -> Iterator[bytes]:
        yield json.dumps(ORDER).encode()[:10]
        await_slow(began)
        yield json.dumps(ORDER).encode()[10:]

    headers = {"Content-Type": "application/json", "X-Request-Id": "sent slowly"}
    return server.client.post(ORDERS, content=body(), headers=headers)


def await_slow(began: float) -> None:
    await_true(lambda: time.monotonic() - began > SLOW_SECONDS + 0.2, "the request is slow")


@pytest.mark.parametrize("command", ["api", "run"])
@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("off", []),
        ("errors", [("failed", 503, "error")]),
        ("slow", [("slow", 201, "warning"), ("failed", 503, "error")]),
        (
            "all",
            [
                ("good", 201, "info"),
                ("bad", 422, "info"),
                ("slow", 201, "warning"),
                ("waits", 200, "info"),
                ("failed", 503, "error"),
            ],
        ),
    ],
)
def test_the_setting_decides_which_requests_have_a_line(
    tmp_path: Path, command: str, which: str, expected: list[tuple[str, int, str]]
) -> None:
    with logging(tmp_path, command, LOG_REQUESTS=which) as server:
        good = server.client.post(ORDERS, json=ORDER | {"productId": "X"}, headers={"X-Request-Id": "good"})
        server.client.post(ORDERS, json=ORDER | {"qty": 0}, headers={"X-Request-Id": "bad"})
        slow = place_slowly(server)
        waits = {"X-Request-Id": "waits", "Prefer": "wait=2"}
        server.client.get(good.headers["Location"], headers=waits)
        server.drop_orders()
        server.client.get(ORDERS, headers={"X-Request-Id": "failed"})
        found = server.requests

    assert [(line["request_id"], line["status"], line["level"]) for line in found] == expected
    by_id = {line["request_id"]: line for line in found}
    if "slow" in by_id:
        line = by_id["slow"]
        assert line["ms"] > SLOW_SECONDS * 1000
        assert line | {"ms": 0, "timestamp": ""} == {
            "method": "POST",
            "route": "/order-service/{userId}/orders",
            "status": 201,
            "ms": 0,
            "request_id": "slow",
            "trace_id": TRACE,
            "user": "kim",
            "order_id": slow.json()["orderId"],
            "event": "request",
            "level": "warning",
            "timestamp": "",
        }
    if "waits" in by_id and command == "api":
        assert by_id["waits"]["ms"] > SLOW_SECONDS * 1000


@pytest.mark.parametrize("command", ["api", "run"])
def test_a_client_that_sends_its_body_slowly_does_not_make_the_service_slow(
    tmp_path: Path, command: str
) -> None:
    with logging(tmp_path, command, LOG_REQUESTS="slow") as server:
        answer = send_slowly(server)
        metrics = server.client.get("/metrics").text
        found = server.requests

    assert answer.status_code == 201
    assert found == []
    labels = 'method="POST",route="/order-service/{userId}/orders",status="201"'
    assert f'orders_http_request_duration_seconds_bucket{{le="1.0",{labels}}} 1.0' in metrics


def test_a_log_that_cannot_be_written_changes_no_answer(tmp_path: Path) -> None:
    port = Ports.free().connect
    environment = {"STATE_DIR": str(tmp_path), "API_PORT": str(port), "LOG_REQUESTS": "all"}
    prepare(environment)
    # The reader of this pipe ends at once.
    command = ["bash", "-c", 'exec 2> >(true); exec "$@"', "bash", *service("api")]
    process = Process("api", command, environment, tmp_path / "log")
    try:
        process.start(lambda: answers(f"http://127.0.0.1:{port}", "/readyz"))
        response = httpx.post(f"http://127.0.0.1:{port}{ORDERS}", json=ORDER, timeout=waiting.seconds(20))
    finally:
        process.end()

    assert response.status_code == 201


def test_every_line_of_a_request_has_its_ids(tmp_path: Path) -> None:
    with logging(tmp_path, "api") as server:
        with server.locked():
            answer = server.client.post(ORDERS, json=ORDER, headers={"X-Request-Id": "a/b"} | TRACEPARENT)
        lines = [line for line in server.lines if line.get("request_id") == "a/b"]

    assert answer.status_code == 503
    assert {line["event"] for line in lines} == {"database unavailable", "request"}
    for line in lines:
        assert (line["trace_id"], line["order_id"]) == (TRACE, answer.json()["orderId"])


HOSTILE = "%1b]0;x%07%0d%0aforged%e2%80%ae%f0%9f%98%80"


def test_hostile_text_stays_one_safe_line(tmp_path: Path) -> None:
    paths = [
        f"/order-service/{HOSTILE}/orders",
        f"/order-service/kim/orders/{HOSTILE}",
        f"/{HOSTILE}",
        f"/order-service/{'x' * 5000}/orders",
        "/order-service/http:%2f%2fu:s3cret@h/orders",
        "/order-service/password=s3cret/orders",
    ]
    headers = [
        {"X-Request-Id": "a b"},
        {"X-Request-Id": "x" * 2000},
        {"X-Request-Id": '"}{"event":"forged"}'},
        {"traceparent": '00-"},{"event":"forged"-x-01'},
        {"traceparent": "0" * 2000},
    ]

    with logging(tmp_path, "api", LOG_REQUESTS="all") as server:
        for path in paths:
            server.client.get(path)
        for sent in headers:
            server.client.get(ORDERS, headers=sent)
        server.client.request("BREW-" + "X" * 10, ORDERS)
        found, text = server.requests, server.log.read_text()

    assert len(found) == len(paths) + len(headers) + 1
    assert max(map(len, text.splitlines())) < 1000
    assert all(line.startswith("{") for line in text.splitlines())
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert max(map(len, (line.get("user", "") for line in found))) <= 200
    assert {line["event"] for line in server.lines} == {"listening", "request"}
    assert "s3cret" not in text
    assert all(character.isprintable() for line in found for character in str(line))


def test_no_line_has_a_token_a_body_or_a_parameter(tmp_path: Path) -> None:
    valid = token()
    tokens = [
        valid,
        token(key=SECRET[::-1]),
        token(exp=FromNow(-3600)),
        token(sub=None),
        token(scope=""),
        valid.rpartition(".")[0] + ".",
        "no.token.at-all",
    ]
    headers = [
        *map(bearer, tokens),
        *({"Authorization": f"Basic {text}"} for text in tokens),
        *({"Authorization": f"{text} {text}", "Cookie": f"token={text}"} for text in tokens),
        *({"X-Api-Key": text, "Proxy-Authorization": text} for text in tokens),
    ]
    body = ORDER | {"comment": HIDDEN, "qty": HIDDEN}

    with logging(tmp_path, "api", LOG_REQUESTS="all", **WITH_SECRET) as server:
        for sent in headers:
            server.client.get(ORDERS, headers=sent)
            server.client.get(ORDERS, headers=sent, params={"access_token": HIDDEN})
            server.client.post(ORDERS, headers=sent, json=body)
            server.client.post("/order-service/kim/orders/x/cancel", headers=sent, params={"x": HIDDEN})
        server.drop_orders()
        server.client.get(ORDERS, headers=bearer(valid))
        found, text = server.requests, server.log.read_text()

    statuses = {line["status"] for line in found}
    assert statuses == {200, 400, 401, 403, 422, 503}
    assert len(found) == 4 * len(headers) + 1
    assert {line.get("user") for line in found if line["status"] == 200} == {"kim"}
    for secret in (HIDDEN, SECRET, *(part for each in tokens for part in each.split(".") if len(part) > 20)):
        assert secret not in text
