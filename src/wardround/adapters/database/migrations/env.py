"""Runs the migrations for Alembic, in the connection and transaction of wardround.adapters.database.migrating."""

from alembic import context

from wardround.adapters.database.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
