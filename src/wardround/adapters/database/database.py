"""Opens Wardround's database, with transactions that read or write, on SQLite and PostgreSQL alike."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, Engine, Pool, create_engine, event

from wardround.adapters.database.migrating import is_current, migrate
from wardround.adapters.database.place import Place, place_of
from wardround.adapters.database.refusals import locked, refusal
from wardround.adapters.files.refused import storing
from wardround.errors import SettingsError

WAIT: Final = 30.0
"""How many seconds a transaction waits for another one."""
_CONNECT: Final = 10  # seconds for a connection to a server
_BEGIN: Final = "wardround_begin"


class Database:
    """A database with this release's schema; several threads may use its transactions, each its own."""

    def __init__(self, place: Place, engine: Engine, wait: float, turn: Lock) -> None:
        """Makes one whose transactions wait for another one for `wait` seconds at most; `turn` is the process's own."""
        self.place = place
        self._engine = engine
        self._wait = wait
        self._turn = turn

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Gives a transaction that sees one moment, whatever others write meanwhile, and does not block writers.

        Raises StorageError or DatabaseError.
        """
        with self._transaction() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Gives a transaction that is committed when the block ends, and leaves nothing behind if it raises.

        In SQLite, transactions write one at a time. Raises StorageError or DatabaseError.
        """
        with self._in_turn(), self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def settle(self) -> None:
        """Empties SQLite's log of what was written lately, so that nothing removed is left in it; elsewhere, nothing.

        It waits for the transactions of others. Raises StorageError.
        """
        if self.place.file:
            with self._engine.connect() as connection, connection.execution_options(**{_BEGIN: ""}) as plain:
                plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def hurried(self, wait: float) -> Iterator["Database"]:
        """Gives the same database for transactions that wait for another one for `wait` seconds at most."""
        engine = engine_at(self.place, wait)
        try:
            yield Database(self.place, engine, wait, self._turn)
        finally:
            engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Lets the threads of this process write to a SQLite file one after the other.

        SQLite itself lets whoever finds it locked sleep for up to 0.1 s before it looks again. That is left for other
        processes. PostgreSQL locks rows, and wakes who waits.
        """
        if not self.place.file:
            yield
            return
        if not self._turn.acquire(timeout=self._wait):
            raise locked(self.place)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, begin: str = "BEGIN") -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection = connection.execution_options(**{_BEGIN: begin})
            with connection.begin():
                yield connection


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Gives the database at a SQLAlchemy URL, after creating or migrating it if needed.

    Raises SettingsError for an invalid URL; StorageError or DatabaseError if the database cannot be used.
    """
    with opened_at(place_of(url)) as database:
        yield database


@contextmanager
def opened_at(place: Place) -> Iterator[Database]:
    """Gives the same for a place. Raises StorageError or DatabaseError."""
    engine = engine_at(place, WAIT)
    try:
        database = Database(place, engine, WAIT, Lock())
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


def engine_at(place: Place, wait: float, poolclass: type[Pool] | None = None) -> Engine:
    """Returns an engine, whose errors are ours; a statement waits `wait` seconds at most for others' locks (0: on)."""
    # SQLAlchemy's messages quote the values to be stored unless told not to.
    common: dict[str, Any] = {"hide_parameters": True, "poolclass": poolclass}
    if place.file:
        engine = create_engine(place.url, connect_args={"timeout": wait}, **common)
        event.listen(engine, "connect", partial(_set_up_sqlite, wait))
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = _server_engine(place, wait, **common)
    event.listen(engine, "handle_error", partial(refusal, place))
    return engine


def _server_engine(place: Place, wait: float, **common: Any) -> Engine:
    options = f"-c lock_timeout={int(wait * 1000)} {place.url.query.get('options', '')}"
    arguments = {"connect_timeout": _CONNECT, **place.url.query, "options": options}
    try:
        return create_engine(place.url, connect_args=arguments, pool_pre_ping=True, **common)
    except ModuleNotFoundError:
        raise SettingsError(
            "WARDROUND_DATABASE: names PostgreSQL but the package psycopg is not installed,"
            " expected it in the same environment; install requirements-distributed.txt, or psycopg[binary]"
        ) from None


def _set_up_sqlite(wait: float, connection: Any, _record: Any) -> None:
    # The driver would begin transactions by its own rules, and none before it changes tables.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # A commit returns only when the data is on disk; callers answer only after that.
    cursor.execute("PRAGMA synchronous = FULL")
    # What is removed is overwritten: a clinician's comment may name a patient.
    cursor.execute("PRAGMA secure_delete = ON")
    _write_ahead(cursor, wait)
    cursor.close()


def _write_ahead(cursor: Any, wait: float) -> None:
    """Sets write-ahead logging, which is stored in the file. SQLite does not wait for others here, so this does."""
    give_up = time.monotonic() + wait
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
