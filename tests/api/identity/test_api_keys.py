"""API keys for other services."""

import hashlib
from pathlib import Path

import pytest

from orders_service.api.identity.api_keys import ApiKeys, KeyFileError
from orders_service.api.identity.known import BYTES_MAX, ENTRIES_MAX, KnownHeaders
from orders_service.api.identity.principal import Principal
from tests.api.identity.kit import WITH_SECRET, Client, assert_unauthorized, bearer, token
from tests.api.kit import Api, assert_problem

KEY = "ok_4b1f0c55e39a8d7f62d04c8a1be0f1d9"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()
SHOP = Principal("shop", frozenset({"orders:read"}), "x")


def test_a_line_gives_a_service_its_scopes() -> None:
    keys = ApiKeys.of(["# the shop", "", f"  shop orders:read,orders:write orders:admin {DIGEST.upper()} "])

    client = keys.find(KEY)

    assert client == Principal(
        "shop", frozenset({"orders:read", "orders:write", "orders:admin"}), f"ok_…{DIGEST[:8]}"
    )
    assert keys.find(KEY + "x") is None
    assert keys.find(DIGEST) is None


@pytest.mark.parametrize(
    "line",
    [
        "shop",
        f"shop {DIGEST}",
        f"shop , {DIGEST}",
        f"shop orders:read {KEY}",
        f"shop orders:read {DIGEST[1:]}",
        f"shop orders:everything {DIGEST}",
        f".. orders:read {DIGEST}",
        f"{'x' * 256} orders:read {DIGEST}",
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number_only(line: str) -> None:
    with pytest.raises(KeyFileError, match=r"^line 2: ") as refusal:
        ApiKeys.of(["", line])

    assert KEY not in str(refusal.value)


def test_a_line_of_one_word_is_told_its_form() -> None:
    with pytest.raises(KeyFileError, match="line 1: it must be: name scopes sha256-of-key"):
        ApiKeys.of(["shop"])


def test_a_key_belongs_to_one_service() -> None:
    with pytest.raises(KeyFileError, match="line 2: the same key is in a line above"):
        ApiKeys.of([f"shop orders:read {DIGEST}", f"till orders:write {DIGEST}"])


def test_a_service_uses_its_key_as_a_token(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(
        f"shop orders:read orders:write orders:admin {DIGEST}\nmonitor orders:operate {'0' * 64}\n"
    )

    with Api.on(api.databases, **WITH_SECRET, API_KEYS_FILE=str(file)) as own:
        shop = Client(own, bearer(KEY))
        statuses = [shop.place("kim").status_code, shop.get().status_code]
        metrics = shop.get("/metrics")
        unknown = Client(own, bearer("ok_unknown")).get()
        by_token = Client(own, bearer(token())).get()

    assert statuses == [201, 200]
    assert_problem(metrics, 403, "insufficient-scope")
    assert_unauthorized(unknown, detail="This API key is not known.")
    assert by_token.status_code == 200


def test_an_api_may_accept_keys_only(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"kim orders:read {DIGEST}\n")

    with Api.on(api.databases, AUTH_MODE="jwt", API_KEYS_FILE=str(file)) as own:
        assert Client(own, bearer(KEY)).get().status_code == 200
        assert_unauthorized(Client(own, bearer(token())).get(), detail="accepts API keys only")


def test_a_verified_header_is_known_until_its_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    known = KnownHeaders()
    known.put("short", SHOP, 1010.0)
    known.put("long", SHOP, 9999.0)

    found = []
    for clock[0] in (1009.9, 1010.0, 1059.9, 1060.0):
        found.append([name for name in ("short", "long") if known.get(name)])

    assert found == [["short", "long"], ["long"], ["long"], []]


@pytest.mark.parametrize("length", [10, 8000])
def test_so_many_headers_are_known_and_no_more(length: int) -> None:
    known = KnownHeaders()
    headers = [f"{number:0{length}}" for number in range(ENTRIES_MAX + 100)]
    for header in headers:
        known.put(header, SHOP, float("inf"))
        known.put(header, SHOP, float("inf"))

    kept = sum(known.get(header) is not None for header in headers)

    assert kept == min(ENTRIES_MAX, BYTES_MAX // length)
    assert known.get(headers[-1])
    assert not known.get(headers[0])
