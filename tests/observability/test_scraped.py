"""What a real Prometheus has after it scraped a real run."""

import re

import httpx
import pytest

from rig.dashboards.__main__ import files
from rig.deployment import PROCESSES
from rig.prometheus import said
from tests.observability.conftest import Watched
from tests.observability.files import alerts, expressions

pytestmark = pytest.mark.real

PANELS = {f"{name} {where}": expr for name, text in files().items() for where, expr in expressions(text)}
RULES = {rule["alert"]: rule["expr"] for rule in alerts()}
# What has no data in a healthy run, and why.
EMPTY = {
    "OrdersKeysOld": "there is no AUTH_JWKS_URL",
    "http.json Age of the issuer's keys: {{instance}}": "there is no AUTH_JWKS_URL",
}


def with_values(condition: str) -> str:
    """An alert's expression that answers 0 or 1, where the alert's own has no series if it does not fire."""
    return re.sub(r"(==|>=|>) (\d)", r"\1 bool \2", condition)


def test_every_process_is_scraped(watched: Watched) -> None:
    up = {sample.labels["job"]: sample.value for sample in watched.prometheus.query("up")}

    assert up == dict.fromkeys(PROCESSES, 1.0)


@pytest.mark.parametrize("name", PROCESSES)
def test_promtool_finds_nothing_to_say_about_the_metrics(watched: Watched, name: str) -> None:
    text = httpx.get(f"http://127.0.0.1:{watched.ports[name]}/metrics").text

    code, output = said("promtool", "check", "metrics", text=text)

    assert (code, output) == (0, "")


@pytest.mark.parametrize("where", PANELS)
def test_every_panel_has_data(watched: Watched, where: str) -> None:
    found = watched.prometheus.query(PANELS[where].replace("$__rate_interval", "10m"))

    assert bool(found) == (where not in EMPTY)


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_data_and_does_not_fire(watched: Watched, name: str) -> None:
    found = watched.prometheus.query(with_values(RULES[name]))

    assert bool(found) == (name not in EMPTY)
    assert {sample.value for sample in found} <= {0.0}
    assert watched.prometheus.firing() == set()


def test_nothing_is_listed_as_empty_that_does_not_exist() -> None:
    assert EMPTY.keys() <= PANELS.keys() | RULES.keys()
