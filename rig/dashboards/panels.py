"""The parts of a Grafana dashboard, and the page that they make together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

COLUMNS = 24  # Of a Grafana page.
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39  # Of Grafana 11; newer versions read it, too.
GREEN, YELLOW, RED = "green", "yellow", "red"

Series = Mapping[str, str]  # Expressions, by the legend of what they show.


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of a page. *limits* are the values from which on it is yellow or red."""

    title: str
    about: str = ""
    series: Series = field(default_factory=dict)
    unit: str = "short"
    limits: Mapping[str, float] = field(default_factory=dict)
    kind: str = "timeseries"
    width: int = 8
    height: int = 7
    text: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The panel without its place."""
        found: dict[str, Any] = {"title": self.title, "type": self.kind, "description": self.about}
        if self.kind == "row":
            return found | {"collapsed": False, "panels": []}
        if self.kind == "text":
            return found | {"options": {"mode": "markdown", "content": self.text}}
        steps: list[dict[str, Any]] = [{"color": GREEN, "value": None}]
        steps += [{"color": color, "value": value} for color, value in self.limits.items()]
        defaults = {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
        targets = [
            {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for number, (legend, expr) in enumerate(self.series.items())
        ]
        options = STAT if self.kind == "stat" else GRAPH
        custom = {} if self.kind == "stat" else {"custom": self._lines}
        return found | {
            "datasource": DATASOURCE,
            "targets": targets,
            "fieldConfig": {"defaults": defaults | custom, "overrides": []},
            "options": options,
        }

    @property
    def _lines(self) -> dict[str, Any]:
        limits = {"thresholdsStyle": {"mode": "dashed"}} if self.limits else {}
        return {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} | limits


STAT = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
GRAPH = {
    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def row(title: str) -> Panel:
    """A heading, over the whole width."""
    return Panel(kind="row", title=title, width=COLUMNS, height=1)


def note(title: str, text: str, *, height: int = 5) -> Panel:
    """A text, over the whole width."""
    return Panel(kind="text", title=title, text=text, width=COLUMNS, height=height)


def stat(title: str, expr: str, **more: Any) -> Panel:
    """One number: how it is now."""
    return Panel(kind="stat", title=title, series={"": expr}, width=6, height=4, **more)


def dashboard(uid: str, title: str, about: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A dashboard as Grafana reads it. The panels flow from left to right, then from top to bottom."""
    ids, placed = count(1), []
    x = y = height = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        placed.append({"id": next(ids), "gridPos": place} | panel.json)
        x, height = x + panel.width, max(height, panel.height)
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["orders"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"title": "Orders", "type": "dashboards", "tags": ["orders"], "asDropdown": False}],
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": placed,
    }
