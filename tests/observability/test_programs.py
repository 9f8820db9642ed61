"""What Prometheus's own programs say about our files."""

from pathlib import Path

import pytest

from rig.prometheus import said
from tests.observability.files import FOLDER

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("programs")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("promtool", ("check", "rules", "rules.yml")),
        ("promtool", ("test", "rules", "rules_test.yml")),
        ("promtool", ("check", "config", "prometheus.yml")),
        ("amtool", ("check-config", "alertmanager.yml")),
    ],
)
def test_the_file_has_no_fault(name: str, words: tuple[str, ...]) -> None:
    *command, file = words

    code, output = said(name, *command, FOLDER / file)

    assert code == 0, output
    assert "SUCCESS" in output


def test_a_rule_that_is_wrong_is_found(tmp_path: Path) -> None:
    """Proof that the tests of the rules can fail."""
    rules = (FOLDER / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(rules.replace("orders_database_up) == 0", "orders_database_up) == 1"))
    (tmp_path / "rules_test.yml").write_text((FOLDER / "rules_test.yml").read_text())

    code, output = said("promtool", "test", "rules", tmp_path / "rules_test.yml")

    assert code != 0
    assert "OrdersDatabaseDown" in output
