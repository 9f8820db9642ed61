"""Which alerts fire for which fault, on real processes and a real Prometheus."""

import re
from pathlib import Path

import pytest

from lab import Lab
from tests.faults.alerts.__main__ import line, watch_all
from tests.faults.alerts.faults import DATABASES_FAIL, PROCESSES_DIE, others
from tests.faults.alerts.rules import shortened
from tests.faults.alerts.scene import RULES
from tests.faults.conftest import REPORT
from tests.faults.proxy import Proxy
from tests.observability.files import ROOT, alerts

DOCUMENTED = (ROOT / "docs/faults.md").read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
# The alerts of each fault.
_, *LINES = re.findall(r"^\| (.+?) \| (.+?) \| .+? \|$", DOCUMENTED, re.M)
TABLE = {name: frozenset(re.findall(r"`(Orders\w+)`", fired)) for name, fired in LINES}


@pytest.mark.real
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_each_fault_fires_its_alerts_and_no_other(
    lab: Lab,
    acknowledgements: Proxy,
    programs: None,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    watched = watch_all(lab, acknowledgements, tmp_path)

    request.config.stash[REPORT] += map(line, watched)
    assert [problem for one in watched for problem in one.problems] == []


def test_the_documented_table_has_the_alerts_that_are_expected() -> None:
    proxy = Proxy(0)
    faults = {fault.name: fault.alerts for fault in (*PROCESSES_DIE, *DATABASES_FAIL, *others(proxy))}
    proxy.close()

    assert faults == TABLE


def test_every_alert_fires_for_a_fault() -> None:
    missing = {rule["alert"] for rule in alerts()}.difference(*TABLE.values())

    # An issuer that is down for an hour, and a process that ends again and again: in rules_test.yml only.
    assert missing == {"OrdersKeysOld", "OrdersRestarting"}


def test_the_rules_are_shortened_and_not_changed() -> None:
    rules = RULES.read_text()

    short = shortened(rules)

    assert "[37500ms]" in short
    assert "for: 7500ms" in short
    assert "> 7.5\n" in short
    assert not re.search(r"\[\d+m\]|for: \d+m\b|> 60\b", short)
    assert re.findall(r"orders_\w+", short) == re.findall(r"orders_\w+", rules)
