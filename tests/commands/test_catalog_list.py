"""`catalog list`: every product with its stock, what is reserved and what was supplied."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands.catalog import main
from tests.flow_kit import BERLIN, TOKYO, Flow


@pytest.fixture
def clerk(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Someone at a terminal beside the catalog's database."""
    monkeypatch.setenv("CATALOG_DATABASE_URL", flow.databases.catalog_url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return CliRunner()


def listed(clerk: CliRunner, *words: str) -> str:
    result = clerk.invoke(main, ["list", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_products_are_listed_with_their_balance(clerk: CliRunner, flow: Flow) -> None:
    flow.place(BERLIN, 3)
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET stock = 108 WHERE product_id = '{TOKYO}'")

    lines = listed(clerk).splitlines()

    assert lines == [
        "PRODUCT      NAME       PRICE  STOCK  RESERVED  SUPPLIED",
        "CATALOG-001  Berlin      1500     97         3       100",
        "CATALOG-002  Tokyo       1000    108         0       110  ✘ 2 missing",
        "CATALOG-003  Stockholm   2000    120         0       120",
    ]


def test_scripts_get_the_same_numbers(clerk: CliRunner, flow: Flow) -> None:
    flow.place(BERLIN, 3)
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET stock = 111 WHERE product_id = '{TOKYO}'")

    berlin, tokyo, _ = json.loads(listed(clerk, "--json"))

    assert berlin == {
        "productId": BERLIN,
        "productName": "Berlin",
        "unitPrice": 1500,
        "stock": 97,
        "reserved": 3,
        "supplied": 100,
        "addsUp": True,
    }
    assert (tokyo["stock"], tokyo["supplied"], tokyo["addsUp"]) == (111, 110, False)


def test_a_catalog_without_products_is_told(clerk: CliRunner, flow: Flow) -> None:
    flow.sql("catalog", "DELETE FROM catalog")

    assert listed(clerk) == "No products.\n"
    assert json.loads(listed(clerk, "--json")) == []


def test_names_of_any_kind_are_aligned_and_harmless(clerk: CliRunner, flow: Flow) -> None:
    flow.sql("catalog", f"UPDATE catalog SET product_name = '책상' WHERE product_id = '{BERLIN}'")
    flow.sql("catalog", f"UPDATE catalog SET product_name = '\x1b[2Jx' WHERE product_id = '{TOKYO}'")

    lines = listed(clerk).splitlines()

    assert lines[1].startswith("CATALOG-001  책상        1500")
    assert lines[2].startswith(r"CATALOG-002  \x1b[2Jx    1000")
