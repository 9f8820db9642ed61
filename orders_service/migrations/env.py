"""Alembic's entry: the caller hands it an open connection."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=None)
with context.begin_transaction():
    context.run_migrations()
