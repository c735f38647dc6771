"""Run by Alembic, on the connection and within the transaction that wardround.adapters.database.schema hands over."""

from alembic import context

from wardround.adapters.database.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
