"""Alembic's environment. The caller passes an open connection, and a list for the versions applied."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

attributes = context.config.attributes


def on_version_apply(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Note a version that this migration applied, and not a concurrent one."""
    attributes["applied"].append(step.up_revision_id)


context.configure(connection=attributes["connection"], on_version_apply=on_version_apply)
with context.begin_transaction():
    context.run_migrations()
