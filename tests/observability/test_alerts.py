"""The alerts, their runbooks and their tests belong together; `test_programs.py` runs them."""

import re
from typing import Any

import pytest

from orders_service.processes import CONSUMERS, PROCESSES
from tests.observability.files import FOLDER, ROOT, alerts, read

OPERATIONS = (ROOT / "docs/operations.md").read_text()
RUNBOOKS = re.findall(r"^### (\w+)$", OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0], re.M)
ALERTS = {alert["alert"]: alert for alert in alerts()}
COMMANDS = [process.command for process in PROCESSES]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert sorted(RUNBOOKS) == sorted(ALERTS)
    assert {name: alert["annotations"]["runbook"] for name, alert in ALERTS.items()} == {
        name: f"docs/operations.md#{name.lower()}" for name in ALERTS
    }


def test_every_runbook_says_what_to_do() -> None:
    parts = ("Meaning", "Look first", "Do", "Harmless")

    for name in RUNBOOKS:
        section = OPERATIONS.partition(f"\n### {name}\n")[2].partition("\n##")[0]
        assert tuple(re.findall(r"^\* \*\*(.+?)\*\*: ", section, re.M)) == parts, name


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())
def test_every_alert_says_how_bad_it_is_and_what_it_saw(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}


def test_every_alert_fires_and_clears_in_a_test() -> None:
    times: dict[str, list[bool]] = {name: [] for name in ALERTS}
    for test in read("rules_test.yml")["tests"]:
        for one in test.get("alert_rule_test", []):
            times[one["alertname"]].append(bool(one["exp_alerts"]))

    assert [name for name, fires in times.items() if True not in fires or fires[-1]] == [], (
        "each needs a time at which it fires, and then one at which it does not"
    )


def test_the_rules_know_every_process() -> None:
    missing = ALERTS["OrdersTargetMissing"]["expr"]
    behind = ALERTS["OrdersConsumerBehind"]["expr"]
    with_debezium = {"orders-relay"}  # It does not run then.

    (listed,) = re.findall(r'up\{job=~"([\w|-]+)"\} == 0', missing)
    (restarting,) = re.findall(r'job=~"([\w|-]+)"', ALERTS["OrdersRestarting"]["expr"])
    assert listed.split("|") == restarting.split("|") == COMMANDS
    assert {*re.findall(r'absent\(up\{job="([\w-]+)"', missing)} == {*COMMANDS} - with_debezium
    assert {*re.findall(r'absent\(orders_consumer_lag\{job="([\w-]+)"', behind)} == {
        consumer.command for consumer in CONSUMERS
    }


def test_prometheus_scrapes_every_process_under_its_name() -> None:
    jobs = {job["job_name"]: job for job in read("prometheus.yml")["scrape_configs"]}

    assert [*jobs][: len(COMMANDS)] == COMMANDS
    for command in COMMANDS:
        (found,) = jobs[command]["dns_sd_configs"]
        assert (found["names"], found["type"], found["port"]) == ([command], "A", 9100)


def test_every_file_is_mounted_by_its_name() -> None:
    assert read("prometheus.yml")["rule_files"] == ["rules.yml"]
    assert (FOLDER / "rules.yml").exists()
