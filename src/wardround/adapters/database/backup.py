"""Backs the database up into one file and restores it, also between SQLite and PostgreSQL.

A backup is a SQLite file. Rows are copied table by table, some in memory at a time, from one transaction to another: a
backup shows one moment, even if others write meanwhile, and a restoration happens as a whole or not at all.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from wardround.adapters.database.database import Database, opened_at
from wardround.adapters.database.place import file_place
from wardround.adapters.database.tables import METADATA, STREAM_MESSAGE, VERSION_TABLE
from wardround.adapters.files.refused import storing
from wardround.adapters.files.scratch import scratch_folder
from wardround.adapters.files.whole_file import whole_file
from wardround.errors import StorageError

_AT_ONCE: Final = 100  # rows in memory, some with a message of 1 MB
Rows = dict[str, int]  # by table


def back_up(database: Database, file: Path) -> Rows:
    """Writes everything that the database holds to `file`, whole or not at all; returns the number of rows by table.

    Raises StorageError or DatabaseError.
    """
    if database.place.file and file.resolve() == database.place.file.resolve():
        raise StorageError(f"{file}: is the database itself, expected a different file; choose another name")
    with scratch_folder() as scratch:
        made = scratch / "backup.sqlite"
        with opened_at(file_place(made)) as target:
            rows = _copy(database, target)
        with whole_file(file) as kept, made.open("rb") as content:
            shutil.copyfileobj(content, kept)
    return rows


def restore(database: Database, file: Path) -> Rows:
    """Replaces everything that the database holds by the content of a backup; returns the number of rows by table.

    A backup of an earlier release is migrated in a copy first. Raises StorageError for a file that is not a backup or
    is damaged; DatabaseError for one of a newer release.
    """
    with scratch_folder() as scratch:
        copied = scratch / "backup.sqlite"
        with storing(file):
            shutil.copyfile(file, copied)
        _require_backup(copied, file)
        with opened_at(replace(file_place(copied), shown=str(file))) as source:
            return _copy(source, database)


def _require_backup(copied: Path, file: Path) -> None:
    try:
        with closing(sqlite3.connect(copied)) as connection:
            [result] = connection.execute("PRAGMA integrity_check").fetchone()
            found = result == "ok" and connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    except sqlite3.DatabaseError:
        found = None
    if not found:
        raise StorageError(
            f"{file}: is not a backup of Wardround's database, or is damaged, expected a file that"
            " `wardround database backup` wrote; choose another one"
        )


def _copy(source: Database, target: Database) -> Rows:
    with source.reading() as read, target.writing() as written:
        if written.dialect.name == "postgresql":
            # Others cannot write meanwhile; readers continue with the previous state.
            names = ", ".join(table.name for table in METADATA.sorted_tables)
            written.execute(text(f"lock table {names} in exclusive mode"))
        for table in reversed(METADATA.sorted_tables):
            written.execute(delete(table))
        rows = {table.name: _copied(table, read, written) for table in METADATA.sorted_tables}
        _number_on(written)
    return rows


def _copied(table: Table, read: Connection, written: Connection) -> int:
    count = 0
    for some in read.execute(select(table).execution_options(yield_per=_AT_ONCE)).mappings().partitions():
        written.execute(insert(table), [dict(row) for row in some])
        count += len(some)
    return count


def _number_on(written: Connection) -> None:
    """Lets PostgreSQL number new messages after those that were copied. SQLite does so by itself."""
    if written.dialect.name == "postgresql":
        last = select(func.max(STREAM_MESSAGE.c.seq)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(STREAM_MESSAGE.name, STREAM_MESSAGE.c.seq.name)
        written.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))
