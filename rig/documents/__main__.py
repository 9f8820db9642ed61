"""Writes every file of the documented contract. `make contract` runs it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rig.documents import metrics, page, schemas
from rig.documents.asyncapi import asyncapi
from rig.documents.openapi import openapi
from rig.documents.recording import Recording, record

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "orders_service/contract/documents"


def files(recording: Recording) -> dict[str, str]:
    """The text of each file, by its path in the repository."""
    return {
        f"{FOLDER}/openapi.json": _json(openapi(recording)),
        f"{FOLDER}/asyncapi.json": _json(asyncapi(recording)),
        **{f"{FOLDER}/schemas/{name}.json": _json(each) for name, each in schemas.schemas().items()},
        "docs/http.md": page.page(recording),
        "docs/metrics.md": metrics.page(),
        "requests.http": page.requests(),
    }


def main() -> None:
    """Write the files. Answers of the service contain parts of them: after a change it is asked again."""
    if _write():
        _write()


def _write() -> bool:
    """Write the files, and remove schemas of events that no longer exist. True if something changed."""
    with TemporaryDirectory() as folder:
        written = files(record(Path(folder)))
    paths = [ROOT / name for name in written] + [*(ROOT / FOLDER).rglob("*.json")]
    before = {path: path.read_text() for path in paths if path.exists()}
    for path in before:
        path.unlink()
    for name, text in written.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text)
    return before != {ROOT / name: text for name, text in written.items()}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
