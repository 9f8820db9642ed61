"""The API's processes count together, also when one of them is killed, or all are replaced."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from lab import Ports
from orders_service.api.serving.slots import PREFIX, SHARED_MEMORY
from orders_service.processes import DATABASES
from rig import waiting
from rig.embedded import prepare
from rig.processes import Process, children, service
from rig.waiting import await_true
from tests.metrics.kit import Samples, answers, get, heads, scrape

pytestmark = pytest.mark.long

WORKERS = 3
COUNTED = ("orders_http_requests_total", "GET", "/order-service/{userId}/orders", "200")
SCRAPES = 3600  # An hour's worth, one each second.


@dataclass(frozen=True)
class Served:
    """`orders-service api` with several processes."""

    process: Process
    port: int
    metrics_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/order-service/kim/orders"

    @property
    def workers(self) -> list[int]:
        return children(self.process.pid)

    def ask(self, times: int) -> None:
        """Ask *times*, each time on a new connection: another process may answer."""
        for _ in range(times):
            assert httpx.get(self.url).status_code == 200

    def await_counted(self, requests: int) -> None:
        """Wait until so many requests are in the metrics: a scrape shows the numbers of the last second."""
        await_true(lambda: self.scrape().get(COUNTED) == requests, f"{requests} requests are counted")

    def await_others(self, pids: list[int]) -> None:
        """Wait until other processes have replaced these."""
        await_true(
            lambda: len(self.workers) == WORKERS and not set(self.workers) & set(pids), "they are replaced"
        )

    @contextmanager
    def only(self, pid: int) -> Iterator[None]:
        """Let only this process answer: the others are suspended."""
        others = [psutil.Process(other) for other in self.workers if other != pid]
        for other in others:
            other.suspend()
        try:
            yield
        finally:
            for other in others:
                other.resume()

    def scrape(self) -> Samples:
        return scrape(self.metrics_port)

    @property
    def files(self) -> set[str]:
        """The files in which the processes count."""
        return {path.name for path in self.folder.iterdir()}

    @property
    def counters(self) -> set[str]:
        return {name for name in self.files if name.startswith("counter_")}

    @property
    def folder(self) -> Path:
        (folder,) = (
            Path(file.path).parent
            for file in psutil.Process(self.workers[0]).memory_maps()
            if PREFIX in file.path and "counter" in file.path
        )
        return folder


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Served]:
    ports = Ports.free()
    port, metrics_port = ports.connect, ports.mariadb
    environment = {
        **{f"{name.upper()}_DATABASE_URL": f"sqlite:///{folder}/{name}.db" for name in DATABASES},
        **{"API_PORT": str(port), "METRICS_PORT": str(metrics_port), "API_WORKERS": str(WORKERS)},
        "STATE_DIR": str(folder),
        **settings,
    }
    prepare(environment)
    process = Process("api", service("api"), environment, folder / "api.log")
    served = Served(process, port, metrics_port)
    try:
        process.start(lambda: answers(metrics_port))
        await_true(lambda: len(served.workers) == WORKERS, "all processes are there")
        yield served
    finally:
        process.end()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as api:
        yield api


def test_the_numbers_of_all_processes_are_added_up(served: Served) -> None:
    for pid in served.workers:
        with served.only(pid):
            served.ask(10)

    served.await_counted(10 * WORKERS)
    assert served.counters == {f"counter_{slot}.db" for slot in range(WORKERS)}


def test_a_process_that_replaces_a_killed_one_goes_on_counting(served: Served) -> None:
    for number, pid in enumerate(served.workers, start=1):
        with served.only(pid):
            served.ask(10)
        os.kill(pid, signal.SIGKILL)
        served.await_others([pid])

        served.await_counted(10 * number)

    assert served.counters == {f"counter_{slot}.db" for slot in range(WORKERS)}


def test_the_numbers_survive_reloads_and_the_files_stay_few(served: Served) -> None:
    for number in range(1, 4):
        before = served.workers
        served.process.handle.send_signal(signal.SIGHUP)
        served.await_others(before)
        served.ask(10)

        served.await_counted(10 * number)

    assert served.counters <= {f"counter_{slot}.db" for slot in range(2 * WORKERS)}
    assert len([name for name in served.files if name.startswith("gauge_livesum")]) == WORKERS


def test_the_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    with serving(tmp_path) as api:
        folder = api.folder
        served_from_memory = folder.parent == SHARED_MEMORY
        mode = folder.stat().st_mode & 0o777

    assert not folder.exists()
    assert served_from_memory == os.access(SHARED_MEMORY, os.W_OK)
    assert mode == 0o700


def test_the_folder_of_a_killed_server_is_removed_by_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as api:
        left = api.folder
        api.process.kill()
    assert left.exists()

    with serving(tmp_path) as other:
        assert not left.exists()
        assert other.folder.exists()


def test_both_ports_show_the_same_families(served: Served) -> None:
    served.ask(1)
    served.await_counted(1)
    outside = httpx.get(f"http://127.0.0.1:{served.port}/metrics").text

    _, inside = get(served.metrics_port, "/metrics")

    assert heads(outside) == heads(inside)


def test_the_inner_port_needs_no_token_and_the_outer_does(tmp_path: Path) -> None:
    with serving(tmp_path, AUTH_MODE="jwt", AUTH_SECRET="k" * 64) as api:
        outside = httpx.get(f"http://127.0.0.1:{api.port}/metrics")

        inside = get(api.metrics_port, "/metrics")
        faked = httpx.get(f"http://127.0.0.1:{api.port}/metrics", headers={"Host": f"x:{api.metrics_port}"})
        order = get(api.metrics_port, "/order-service/kim/orders")

    assert (outside.status_code, faked.status_code) == (401, 401)
    assert (inside[0], order[0]) == (200, 404)


def test_a_refusal_of_bytes_that_are_no_request_is_counted(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=waiting.seconds(10)) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")

    key = ("orders_http_requests_total", "other", "none", "400")
    await_true(lambda: served.scrape().get(key) == 1, "it is counted")


def test_slow_clients_cannot_keep_a_scrape_out(tmp_path: Path) -> None:
    with serving(tmp_path, API_CONNECTIONS_MAX="16") as api, ExitStack() as clients:
        for _ in range(40 * WORKERS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", api.metrics_port)))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")

        assert api.scrape()["orders_committer_queue",] == 0


def test_an_hours_worth_of_scrapes_takes_no_memory_of_the_server(served: Served) -> None:
    with httpx.Client() as client:

        def scrape_often(times: int) -> int:
            for _ in range(times):
                client.get(f"http://127.0.0.1:{served.metrics_port}/metrics").raise_for_status()
            return sum(psutil.Process(pid).memory_info().rss for pid in served.workers)

        before = scrape_often(SCRAPES // 10)

        after = scrape_often(SCRAPES)

    assert after - before < 5_000_000


def test_an_hours_worth_of_texts_takes_no_memory(tmp_path: Path) -> None:
    # The server makes a text once a second. Here it is made each time.
    program = f"""
import sys
from pathlib import Path
import psutil
from orders_service.metrics import committer, exposition, http
from orders_service.metrics.shared import SharedNumbers
numbers = SharedNumbers(Path({str(tmp_path)!r}))
numbers.take(0)
for number in range(6):
    http.REQUESTS.labels(f"/{{number}}", "GET", 200).inc()
    http.DURATION.labels(f"/{{number}}", "GET", 200).observe(1)
def make(times):
    for _ in range(times):
        exposition.text(numbers, *exposition.ALONE[1:])
    return psutil.Process().memory_info().rss
before = make({SCRAPES // 10})
print(make({SCRAPES}) - before)
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=waiting.seconds(100),
        check=True,
    )

    assert int(done.stdout) < 5_000_000
