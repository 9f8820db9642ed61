"""The dashboards are those that the code makes, Grafana can read them, and so can a person."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rig.dashboards.__main__ import FOLDER, files
from rig.dashboards.panels import COLUMNS
from tests.observability.files import alerts, read

SCHEMA = json.loads(Path(__file__).with_name("grafana.schema.json").read_text())
DASHBOARDS = {name: json.loads(text) for name, text in files().items()}
PANELS = [panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]]


def test_the_files_are_those_that_the_code_makes() -> None:
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}

    assert written == files(), "run make dashboards, and commit the files"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_can_read_the_dashboard(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMA)

    errors = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(DASHBOARDS[name])]

    assert errors == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_overlap(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]

    def cells(panel: Any) -> set[tuple[int, int]]:
        x, y, width, height = (panel["gridPos"][key] for key in "xywh")
        assert x + width <= COLUMNS
        return {(column, line) for column in range(x, x + width) for line in range(y, y + height)}

    assert [
        (one["title"], two["title"]) for one, two in combinations(panels, 2) if cells(one) & cells(two)
    ] == []
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_a_dashboard_begins_with_what_one_sees() -> None:
    for dashboard in DASHBOARDS.values():
        first, second, *_ = dashboard["panels"]
        assert (first["type"], second["type"]) == ("text", "row")


def test_several_lines_of_a_graph_have_names() -> None:
    for panel in PANELS:
        legends = [target["legendFormat"] for target in panel.get("targets", ())]
        assert len(set(legends)) == len(legends)
        assert panel["type"] == "stat" or all(legends), panel["title"]


def test_an_alert_that_a_panel_names_exists() -> None:
    known = {alert["alert"] for alert in alerts()}

    named = set(re.findall(r"\bOrders[A-Z]\w+", json.dumps(PANELS)))

    assert named
    assert named <= known


def test_grafana_finds_the_dashboards_and_their_source() -> None:
    sources = {source["name"]: source for source in read("grafana/datasources.yml")["datasources"]}
    (provider,) = read("grafana/dashboards.yml")["providers"]

    assert sources["Prometheus"]["isDefault"]
    assert sources["Prometheus"]["url"] == "http://prometheus:9090"
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
