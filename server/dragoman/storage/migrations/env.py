"""What alembic runs: the steps that are missing, on the connection that it was given, within its transaction."""

from __future__ import annotations

from alembic import context

from dragoman.storage.migrations import VERSION_TABLE
from dragoman.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
