"""What the deployment's gateway does not answer: HAProxy with docker/haproxy.cfg, in front of a server."""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orders_service.api.documents import WITHOUT_PAGE
from orders_service.contract.problems import PROBLEMS
from tests.attacks.gateway import CONFIG, gateway

pytestmark = pytest.mark.skipif(
    not shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"),
    reason="HAProxy is not installed",
)


class Api(BaseHTTPRequestHandler):
    """Answers everything with 200, and notes what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Without-Page", str(WITHOUT_PAGE in self.headers))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """What reached the API."""
    return []


@pytest.fixture(scope="module")
def port(asked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the gateway."""
    with stand_in(asked) as api, gateway(tmp_path_factory.mktemp("gateway"), api) as port:
        yield port


@contextmanager
def stand_in(asked: list[str]) -> Iterator[int]:
    """The port of a server that answers everything, in place of an API."""
    handler = type("Noting", (Api,), {"asked": asked})
    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 512})
    with server(("127.0.0.1", 0), handler) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        yield api.server_port
        api.shutdown()


def get(port: int, target: str) -> tuple[int, str]:
    """The status and the whole answer to a GET of exactly that target."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as file:
            answer = file.read().decode()
    return int(answer.split(" ")[1]), answer


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/metrics",
            "/readyz",
            "/actuator/health",
            "/admin/orders",
            "/%61dmin//orders",
            "/admin/live",
            "/ui",
            "/ui/orders/1",
            "/%75i",
            "//UI/",
            "/metrics?a=1",
            "/metrics/",
            "//metrics",
            "/%6detrics",
            "/%6D%65trics",
            "/readyz%3f",
        ),
        *(
            "/METRICS",
            "http://a/metrics",
            "http://a//readyz",
            "/metrics#a",
            "x:/metrics",
            "metrics",
            "/%2fmetrics",
        ),
    ],
)
def test_metrics_readiness_and_the_operators_list_are_not_answered_outside(
    port: int, asked: list[str], target: str
) -> None:
    status, answer = get(port, target)

    # HAProxy's parser refuses a target that is none, before its configuration has a say.
    assert status == 400 or (status == 404 and "application/problem+json" in answer)
    assert [one for one in asked if one != "/livez"] == []


@pytest.mark.parametrize("target", ["/metrics", "/readyz", "/actuator/health", "//metrics", "/%6detrics"])
def test_metrics_and_readiness_are_not_answered_on_the_port_of_the_page(
    port: int, asked: list[str], target: str
) -> None:
    status, answer = get(port + 1, target)

    assert (status, "application/problem+json" in answer) == (404, True)
    assert [one for one in asked if one != "/livez"] == []


@pytest.mark.parametrize(
    "target",
    ["/ui", "/ui/orders/1", "/admin/orders", "/admin/live", "/livez", "/order-service/kim/orders"],
)
def test_the_port_of_the_page_answers_it_and_all_that_it_calls(
    port: int, asked: list[str], target: str
) -> None:
    status, _ = get(port + 1, target)

    assert status == 200
    asked.remove(target)


@pytest.mark.parametrize(
    "target",
    [
        "/livez",
        "/order-service/metrics/orders",
        "/order-service/actuator/orders",
        "/catalog-service/catalogs/readyz",
        "/order-service/kim/orders/events",
        "/order-service/kim/orders/x/%65vents",
    ],
)
def test_everything_else_reaches_the_api(port: int, target: str) -> None:
    status, _ = get(port, target)

    assert status == 200


def test_the_api_is_told_on_which_port_the_page_is_not_answered(port: int) -> None:
    told = [get(each, "/")[1].lower() for each in (port, port + 1)]

    assert ["without-page: true" in each for each in told] == [True, False]


def test_a_body_that_is_too_large_is_answered_with_problem_details(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70000)
        answer = connection.recv(4096).decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "application/problem+json" in answer


def test_the_rate_limit_that_the_configuration_describes_can_be_switched_on(tmp_path: Path) -> None:
    text, switched_on = re.subn(r"#(http-request return status 429 )", r"\1", CONFIG.read_text())
    with stand_in([]) as api, gateway(tmp_path, api, text) as port, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(port, "/livez"), range(500)))

    assert switched_on == 1
    assert {status for status, _ in answers} == {200, 429}
    refused = next(answer for status, answer in answers if status == 429)
    assert "retry-after: 1" in refused.lower()
    assert f'"type":"{PROBLEMS["quota-exceeded"].uri}"' in refused
