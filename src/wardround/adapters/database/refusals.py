"""Turns a database's refusals into our own errors: the place, the cause and the remedy, never a value or SQL."""

import sqlite3
from typing import Final

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError

from wardround.adapters.database.place import Place
from wardround.adapters.files.refused import refused_rows
from wardround.errors import DatabaseError, WardroundError

_LOOK: Final = "check the server's log, then try again"
_ASK: Final = "ask the database administrator to grant this user its own schema"
_AGAIN: Final = "wait for the other process, then try again"
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# PostgreSQL's SQLSTATE codes or their classes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_STATES: Final = {
    "42501": ("no permission", _ASK),
    "3F000": ("there is no schema to create tables in", _ASK),
    "25006": ("the server is read-only, as a standby is", "name the server that accepts writes"),
    "53100": ("the server's disk is full", "free some space there, then try again"),
    "53300": ("the server has no free connections", "wait, or raise its max_connections"),
    "55P03": ("another process has kept it locked for too long", _AGAIN),
    "40": ("another process changed it at the same time", _AGAIN),
    "57": ("the server is shutting down or starting", "check that it is running, then try again"),
    "08": ("the connection was lost", "check that the server is running, then try again"),
}
# libpq gives no SQLSTATE if no connection was made.
_NO_CONNECTION: Final = {
    "authentication failed": ("refused the user or the password", "correct them in WARDROUND_DATABASE"),
    "no password supplied": (
        "requires a password",
        "set it in WARDROUND_DATABASE, or in the file that PGPASSFILE names",
    ),
    "does not exist": ("there is no such database or user", "create it (createdb), or correct WARDROUND_DATABASE"),
    "resolve host": ("the host name does not resolve", "correct it in WARDROUND_DATABASE"),
    "refused": ("nothing is listening there", "check that the server is running, and the host and port"),
    "timeout": ("the connection timed out", "check that the server is running, and the host and port"),
}


def refusal(place: Place, context: ExceptionContext) -> WardroundError | None:
    """Returns StorageError if a SQLite file cannot be used, and DatabaseError if a database refuses otherwise.

    Returns None for an error in the program (a row that breaks a rule of the schema), which is raised unchanged. Made
    for SQLAlchemy's event `handle_error`.
    """
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, IntegrityError):
        return None
    if place.file and isinstance(error, sqlite3.DatabaseError):
        return refused_rows(place.file, error) or _of_sqlite(place, error)
    state = str(getattr(error, "sqlstate", None) or "")
    known = _STATES.get(state) or _STATES.get(state[:2]) or (None if state else _without_state(str(error)))
    return _error(place, *known) if known else None


def locked(place: Place) -> DatabaseError:
    """Returns the error of a SQLite file in which others were writing for as long as this waits."""
    return _error(place, "another process has kept it locked for too long", _AGAIN)


def _of_sqlite(place: Place, error: sqlite3.DatabaseError) -> DatabaseError | None:
    return locked(place) if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY else None


def _without_state(message: str) -> tuple[str, str]:
    causes = (cause for words, cause in _NO_CONNECTION.items() if words in message)
    return next(causes, ("the connection failed or was lost", _LOOK))


def _error(place: Place, cause: str, remedy: str) -> DatabaseError:
    return DatabaseError(f"{place.shown}: {cause}, expected Wardround's database; {remedy}")
