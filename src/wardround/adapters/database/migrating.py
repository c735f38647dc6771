"""Brings a database to this release's schema: once even if several processes start together, whole or not at all."""

from typing import Final

from sqlalchemy import Connection, column, inspect, select, table, text

from wardround.adapters.database.place import Place
from wardround.adapters.database.tables import SCHEMA, VERSION_TABLE
from wardround.errors import DatabaseError

_LOCK: Final = 0x57617264  # "Ward": the PostgreSQL advisory lock that the migrations take


def is_current(connection: Connection, place: Place) -> bool:
    """Returns whether the schema is this release's. Raises DatabaseError if it is of a newer one."""
    found = _schema_of(connection)
    if found and found > SCHEMA:
        raise DatabaseError(
            f"{place.shown}: has schema {found}, of a newer release, expected {SCHEMA} at most;"
            " install that release, or restore a backup made by this one into another database"
        )
    return found == SCHEMA


def migrate(connection: Connection, place: Place) -> None:
    """Runs the missing migrations.

    The connection must be one that writes: in SQLite that is the lock, in PostgreSQL a lock is taken. Raises
    DatabaseError.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    # The previous holder of the lock has done it.
    if is_current(connection, place):
        return
    # These imports take as long as all others of a command together, and are needed once per release.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "wardround.adapters.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _schema_of(connection: Connection) -> str:
    """Returns the number of the migration that the database is at; "" if it has no tables of ours yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar() or "")
