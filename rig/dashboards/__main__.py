"""Writes the dashboards. `make dashboards` runs it."""

import json
from pathlib import Path

from rig.dashboards.http import http
from rig.dashboards.road import road

FOLDER = Path(__file__).resolve().parents[2] / "docker/observability/dashboards"


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    made = {"http.json": http(), "road.json": road()}
    return {name: json.dumps(one, indent=1, ensure_ascii=False) + "\n" for name, one in made.items()}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
