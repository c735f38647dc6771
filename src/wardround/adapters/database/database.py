"""Opens Wardround's database: transactions that read or write, on SQLite and PostgreSQL alike."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event

from wardround.adapters.database.place import Place, place_of
from wardround.adapters.database.refusals import refusal
from wardround.adapters.database.schema import is_current, migrate
from wardround.adapters.files.refused import storing
from wardround.errors import SettingsError

WAIT: Final = 30.0
"""Seconds that a transaction waits for another one."""
_CONNECT: Final = 10  # seconds for a connection to a server
_BEGIN: Final = "wardround_begin"


class Database:
    """A database at this release's schema; its transactions may be used by several threads, each its own."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place = place
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment, whatever others write meanwhile, and keeps nobody from writing.

        Raises StorageError or DatabaseError.
        """
        with self._transaction() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept when the block ends, and leaves nothing if it raises.

        In SQLite one writes at a time, in turn. Raises StorageError or DatabaseError.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str = "BEGIN") -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection = connection.execution_options(**{_BEGIN: begin})
            with connection.begin():
                yield connection


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Gives the database at a SQLAlchemy URL, which is made or migrated first where that is due.

    Raises SettingsError for a URL that names none; StorageError or DatabaseError where it cannot be used.
    """
    with opened_at(place_of(url)) as database:
        yield database


@contextmanager
def opened_at(place: Place) -> Iterator[Database]:
    """The same of a place. Raises StorageError or DatabaseError."""
    engine = _engine(place)
    try:
        database = Database(place, engine)
        if place.file:
            with storing(place.file):
                place.file.parent.mkdir(parents=True, exist_ok=True)
        with database.reading() as connection:
            current = is_current(connection, place)
        if not current:
            with database.writing() as connection:
                migrate(connection, place)
        yield database
    finally:
        engine.dispose()


def _engine(place: Place) -> Engine:
    # A message of SQLAlchemy quotes what was to be stored unless it is told not to.
    common: dict[str, Any] = {"hide_parameters": True}
    if place.file:
        engine = create_engine(place.url, connect_args={"timeout": WAIT}, **common)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = _server_engine(place, **common)
    event.listen(engine, "handle_error", partial(refusal, place))
    return engine


def _server_engine(place: Place, **common: Any) -> Engine:
    options = f"-c lock_timeout={int(WAIT * 1000)} {place.url.query.get('options', '')}"
    arguments = {"connect_timeout": _CONNECT, **place.url.query, "options": options}
    try:
        return create_engine(place.url, connect_args=arguments, pool_pre_ping=True, **common)
    except ModuleNotFoundError:
        raise SettingsError(
            "WARDROUND_DATABASE: names PostgreSQL and the package psycopg is not installed, expected it beside this"
            " one; install requirements-distributed.txt, or psycopg[binary]"
        ) from None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by rules of its own, and none before it changes tables.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is committed lies on the disk: a door answers only then.
    cursor.execute("PRAGMA synchronous = FULL")
    _write_ahead(cursor)
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Sets write-ahead logging, which the file keeps. SQLite does not wait for others here, so this does."""
    give_up = time.monotonic() + WAIT
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()[_BEGIN])
