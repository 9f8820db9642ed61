"""Identity in the real server: long headers, keys that are read again, and an issuer that comes and goes."""

import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from rig.embedded import prepare
from rig.processes import Process, ended
from rig.waiting import await_true
from tests.api.identity.issuers import running_issuer
from tests.api.identity.kit import WITH_SECRET, token
from tests.api.serving.test_server import Address, serving
from tests.certificates import Authority

CLIENTS = 8


def status(address: Address, bearer: str) -> int:
    """The status of kim's list of orders with this token or key."""
    connection = HTTPConnection("127.0.0.1", address.port, timeout=60)
    connection.request("GET", "/order-service/kim/orders", headers={"Authorization": f"Bearer {bearer}"})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def await_more(statuses: list[int], count: int) -> None:
    wanted = len(statuses) + count
    await_true(lambda: len(statuses) >= wanted, "the clients have asked again")


def line_of(name: str, key: str) -> str:
    return f"{name} orders:read,orders:admin {hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key of a shop."""
    file = tmp_path_factory.mktemp("keys") / "api_keys"
    file.write_text(line_of("shop", "ok_shop"))
    return file


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, key_file: Path) -> Iterator[tuple[Address, Process]]:
    """`orders-service api`, which accepts tokens and the keys of *key_file*."""
    with serving(tmp_path_factory.mktemp("secured"), **WITH_SECRET, API_KEYS_FILE=str(key_file)) as running:
        yield running


@pytest.mark.parametrize(
    ("size", "expected"), [(2000, 200), (8000, 200), (8500, 431), (40_000, 431), (1_000_000, 431)]
)
def test_a_token_of_8_kib_is_accepted_and_a_longer_one_is_not(
    secured: tuple[Address, Process], size: int, expected: int
) -> None:
    address, _ = secured
    empty = len("Bearer " + token(roles=""))
    text = token(roles="x" * ((size - empty) * 3 // 4))

    answer = address.send(
        b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: Bearer " + text.encode() + b"\r\n\r\n"
    )

    assert answer.status == expected
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_the_whole_head_is_as_small_as_without_tokens(secured: tuple[Address, Process]) -> None:
    address, _ = secured
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 8000) for number in range(5))

    answer = address.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")

    assert answer.status == 431


def test_a_token_that_comes_twice_is_refused(secured: tuple[Address, Process]) -> None:
    address, _ = secured
    field = b"Authorization: Bearer " + token().encode() + b"\r\n"

    answer = address.send(
        b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + field * 2 + b"\r\n"
    )

    assert answer.status == 401


def test_the_keys_of_services_are_read_again_on_sighup(
    secured: tuple[Address, Process], key_file: Path
) -> None:
    address, process = secured
    assert [status(address, key) for key in ("ok_shop", "ok_till")] == [200, 401]

    key_file.write_text(line_of("till", "ok_till"))
    os.kill(process.pid, signal.SIGHUP)

    await_true(lambda: status(address, "ok_till") == 200, "the new key is accepted")
    await_true(lambda: status(address, "ok_shop") == 401, "the old key is refused")


def test_a_mistake_in_the_file_of_keys_stops_nobody(secured: tuple[Address, Process], key_file: Path) -> None:
    address, process = secured
    known = key_file.read_text()
    name = known.split()[0]

    key_file.write_text("shop orders:everything\n")
    os.kill(process.pid, signal.SIGHUP)
    await_true(lambda: "the last ones stay valid" in process.log.read_text(), "the mistake is logged")

    assert status(address, f"ok_{name}") == 200


def test_an_api_does_not_start_with_a_wrong_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("shop orders:everything\n")
    folder = {"STATE_DIR": str(tmp_path)}
    prepare(folder)

    done = ended("api", AUTH_MODE="jwt", API_KEYS_FILE=str(file), **folder)

    assert done.returncode == 2
    assert "API_KEYS_FILE cannot be used: line 1: " in done.stderr


def test_no_valid_request_fails_while_keys_change_and_the_issuer_goes_down(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trust = {"SSL_CERT_FILE": str(authority.certificate)}
    with (
        running_issuer(authority.vouch_for("issuer")) as issuer,
        serving(tmp_path, **issuer.environment, **trust) as (address, process),
    ):
        statuses: list[int] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                statuses.append(status(address, issuer.token()))

        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for change in (list, issuer.rotate, issuer.stop):
            change()
            await_more(statuses, 100)
        done.set()
        for client in clients:
            client.join()

        assert set(statuses) == {200}
        assert issuer.asked == 2
        assert "Warning" not in process.log.read_text()
