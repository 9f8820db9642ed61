"""A copy of a migrated database equals one that the migrations made."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from rig import migrated
from rig.databases import Databases


def content(engine: Engine) -> list[object]:
    """Everything that the database of *engine* has: what created each thing, and all rows."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return sorted(connection.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]
        names = [tuple(row) for row in connection.execute(text("SHOW FULL TABLES"))]
        found: list[object] = [names, connection.execute(text("SHOW TRIGGERS")).all()]
        for name, _ in names:
            found += connection.execute(text(f"SHOW CREATE TABLE `{name}`")).all()
            found += connection.execute(text(f"SELECT * FROM `{name}`")).all()
        return found


def databases(folder: Path, request: pytest.FixtureRequest, kind: str, number: int) -> Databases:
    if kind == "mariadb":
        return Databases.on(request.getfixturevalue("lab").mariadb, f"migrated_{number}")
    return Databases(f"sqlite:///{folder}/orders-{number}.db", f"sqlite:///{folder}/catalog-{number}.db")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("mariadb", marks=pytest.mark.real)])
def test_a_copy_equals_a_migrated_database(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(migrated, "_COPIES", {})
    by_migrations, copied = (databases(tmp_path, request, kind, number) for number in (1, 2))
    by_migrations.migrate()
    assert len(migrated._COPIES) == 2
    copied.migrate()

    for one, other in zip(by_migrations.engines.values(), copied.engines.values(), strict=True):
        assert content(one) == content(other)
        assert len(content(one)) > 5
    by_migrations.dispose()
    copied.dispose()
