"""The files of `docker/observability/`, as the tests read them."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/observability"


def read(name: str) -> Any:
    """A YAML file of the folder."""
    return yaml.safe_load((FOLDER / name).read_text())


def alerts() -> list[dict[str, Any]]:
    """The alerts of rules.yml."""
    return [rule for group in read("rules.yml")["groups"] for rule in group["rules"]]


def expressions(dashboard: str) -> list[tuple[str, str]]:
    """Each expression of a dashboard, with the title of its panel and its legend."""
    return [
        (f"{panel['title']}: {target['legendFormat']}", target["expr"])
        for panel in json.loads(dashboard)["panels"]
        for target in panel.get("targets", ())
    ]
