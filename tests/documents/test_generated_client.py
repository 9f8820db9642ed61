"""A client that openapi-python-client generates places an order and waits for its answer."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from rig import waiting


@pytest.fixture
def client(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The generated package, imported."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(httpx.get(f"{site}/openapi.json").json()))
    config = tmp_path / "config.yml"
    config.write_text("package_name_override: orders_client\npost_hooks: []\n")
    words = ["openapi-python-client", "generate", "--meta", "none", "--path", str(document)]
    output = ["--output-path", str(tmp_path / "orders_client"), "--config", str(config), "--fail-on-warning"]
    program = str(Path(sys.executable).with_name(words[0]))
    done = subprocess.run(
        [program, *words[1:], *output], capture_output=True, text=True, timeout=waiting.seconds(60)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("orders_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "orders_client"]:
        del sys.modules[name]


def test_it_places_an_order_and_waits_for_its_answer(client: Any, site: str) -> None:
    api = importlib.import_module("orders_client.api.orders")
    place, show = (
        importlib.import_module(f"{api.__name__}.{name}") for name in ("place_order", "show_order")
    )
    models = importlib.import_module("orders_client.models")
    order = models.OrderRequest(product_id="CATALOG-001", qty=2, unit_price=1500)
    connected = client.Client(base_url=site, timeout=httpx.Timeout(60))

    placed = place.sync("bea", client=connected, body=order, idempotency_key="generated-1")
    found = show.sync("bea", placed.order_id, client=connected, prefer="wait=30")

    assert (placed.status, placed.total_price) == ("PENDING", 3000)
    assert (found.order_id, found.qty, found.status) == (placed.order_id, 2, "CONFIRMED")


def test_it_reads_a_problem(client: Any, site: str) -> None:
    place = importlib.import_module("orders_client.api.orders.place_order")
    models = importlib.import_module("orders_client.models")
    order = models.OrderRequest(product_id="CATALOG-001", qty=0, unit_price=1500)

    problem = place.sync("bea", client=client.Client(base_url=site), body=order)

    assert problem.type_ == "/problems/invalid-fields"
    assert [error.field for error in problem.errors] == ["qty"]
