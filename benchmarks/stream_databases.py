"""The databases that the stream is measured on, new for each measurement, and what the disk allows each of them."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.adapters.database.throwaway_postgresql import programs, running

from wardround.settings import database_in

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
BODY = b"x" * 8_500  # as large as the samples of ADT messages
_COMMITS = 500


def why_not(name: str) -> str:
    """Returns why an engine cannot be measured here, "" if it can."""
    try:
        if name == POSTGRESQL:
            programs()
        return ""
    except pytest.skip.Exception as why:
        return str(why)


@contextmanager
def opened_engine(name: str) -> Iterator[Callable[[Path], str]]:
    """Gives what returns the URL of a new database: a file in a folder, or of a server that runs here, with fsync."""
    if name == SQLITE:
        yield database_in
        return
    with running(fsync=True) as server:
        yield lambda _: server.url(server.new_database())


def bare_commits(url: str, folder: Path) -> float:
    """Returns how many inserts of a message's size with a commit each the engine alone does in a second."""
    return _sqlite(folder / f"bare-{time.time_ns()}.sqlite") if url.startswith("sqlite") else _postgresql(url)


def flushes(folder: Path) -> float:
    """Returns how many times a second as much is appended to a file and is on disk."""
    file = os.open(folder / "flushed", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    def flush() -> None:
        os.write(file, BODY)
        os.fdatasync(file)

    try:
        return _rate(flush)
    finally:
        os.close(file)


def _sqlite(file: Path) -> float:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table body (body blob)")
        return _rate(lambda: connection.execute("insert into body values (?)", [BODY]))


def _postgresql(url: str) -> float:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table if not exists bare (body bytea)")
        return _rate(lambda: connection.execute("insert into bare values (%s)", [BODY]))


def _rate(once: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(_COMMITS):
        once()
    return _COMMITS / (time.perf_counter() - began)
