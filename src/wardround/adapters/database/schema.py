"""Brings a database to this release's schema: once, whoever else starts at the same time, and whole or not at all."""

from typing import Final

from sqlalchemy import Connection, column, inspect, select, table, text

from wardround.adapters.database.place import Place
from wardround.adapters.database.tables import SCHEMA, VERSION_TABLE
from wardround.errors import DatabaseError

_LOCK: Final = 0x57617264  # "Ward": which of PostgreSQL's advisory locks the migrations take


def is_current(connection: Connection, place: Place) -> bool:
    """Whether the schema is this release's. Raises DatabaseError if it is of a newer one."""
    found = schema_of(connection)
    if found and found > SCHEMA:
        raise DatabaseError(
            f"{place.shown}: has schema {found}, of a newer release, expected {SCHEMA} at most; install that release,"
            " or restore a backup of this one into another database"
        )
    return found == SCHEMA


def migrate(connection: Connection, place: Place) -> None:
    """Runs the migrations that are missing. The connection writes: in SQLite that is the lock, PostgreSQL has one.

    Raises DatabaseError.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    # Whoever had the lock before has done it.
    if is_current(connection, place):
        return
    # They take as long to import as all else of a command, and are needed once a release.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "wardround.adapters.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def schema_of(connection: Connection) -> str:
    """Returns the number of the migration that the database is at; "" for one that is not ours yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar() or "")
