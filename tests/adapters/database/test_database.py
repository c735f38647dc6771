"""Tests how a database is created, migrated and used by several processes, and that errors say what to do."""

import resource
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Integer, create_engine, delete, insert, inspect, text
from sqlalchemy.exc import IntegrityError
from tests.adapters.database.processes import write_at_once

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import HISTORY_RUN, METADATA, SCHEMA, VERSION_TABLE
from wardround.errors import DatabaseError, StorageError
from wardround.settings import database_in

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)


def settings_of(database, *pragmas):
    with database.reading() as connection:
        return [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]


def test_the_first_use_makes_the_file_and_its_tables(tmp_path, runs):
    with opened(f"sqlite:///{tmp_path}/deep/down/ward.sqlite") as database:
        assert runs(database) == 0
        wanted = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        assert settings_of(database, *wanted) == ["wal", 2, 1, 30_000]
    assert [path.name for path in (tmp_path / "deep" / "down").iterdir()] == ["ward.sqlite"]


def test_the_migrations_end_with_the_tables_that_the_code_uses(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []
    config = Config()
    config.set_main_option("script_location", "wardround.adapters.database:migrations")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [SCHEMA]
    numbers = [revision.revision for revision in script.walk_revisions()][::-1]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_a_restoration_knows_every_table_with_a_counter():
    """Each must be handled in backup.py, because PostgreSQL stores the counter outside the rows."""
    counters = [
        table.name
        for table in METADATA.sorted_tables
        if (counter := table.autoincrement_column) is not None and isinstance(counter.type, Integer)
    ]
    assert counters == ["stream_message"]


def test_many_processes_make_one_database_at_once_and_lose_nothing(url, runs):
    write_at_once(url, writers=4)
    with opened(url) as database:
        assert runs(database) == 80


def test_a_transaction_that_raises_leaves_nothing(database, fill, runs):
    fill(database, "kept")

    def remove_and_fail():
        with database.writing() as connection:
            connection.execute(delete(HISTORY_RUN))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        remove_and_fail()
    assert runs(database) == 1


def test_a_thread_waits_for_another_one_of_its_process_as_long_as_it_may_and_then_has_its_turn(database, fill, runs):
    with database.hurried(0.05) as hurried:
        locked = pytest.raises(DatabaseError, match="another process has kept it locked for too long")
        with database.writing(), locked, hurried.writing():
            pass
        fill(hurried, "afterwards")
    assert runs(database) == 1


def test_a_reader_sees_one_moment_while_others_write(url, fill):
    with opened(url) as database, opened(url) as other:
        with database.reading() as connection:
            first = connection.execute(text("select count(*) from history_run")).scalar()
            fill(other, "meanwhile")
            assert connection.execute(text("select count(*) from history_run")).scalar() == first == 0
        with database.reading() as connection:
            assert connection.execute(text("select count(*) from history_run")).scalar() == 1


def test_a_row_that_breaks_a_rule_is_a_fault_of_the_program_and_quotes_no_value(database, fill):
    fill(database, "once")
    with pytest.raises(IntegrityError) as error:
        fill(database, "once")
    assert "once" not in str(error.value)


def test_a_database_of_a_newer_release_is_left_alone(url, database):
    with database.writing() as connection:
        connection.execute(text(f"update {VERSION_TABLE} set version_num = '0999'"))
    with pytest.raises(DatabaseError, match=r"has schema 0999, of a newer release, expected \d+ at most"), opened(url):
        pass
    with database.reading() as connection:
        assert connection.execute(text(f"select version_num from {VERSION_TABLE}")).scalar() == "0999"


def test_a_database_of_an_earlier_release_keeps_its_rows(url, fill, runs):
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "wardround.adapters.database:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with engine.begin() as connection:
        row = {column.name: "of before" for column in HISTORY_RUN.columns} | {"as_of": AS_OF}
        connection.execute(insert(HISTORY_RUN), row)
    engine.dispose()
    with opened(url) as database, database.reading() as connection:
        assert runs(database) == 1
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, VERSION_TABLE}


def test_a_migration_that_is_killed_leaves_the_database_as_it_was(url, tmp_path):
    killed = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
@event.listens_for(Engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    if "CREATE TABLE history_figure" in statement:
        os.kill(os.getpid(), signal.SIGKILL)
from wardround.adapters.database.database import opened
with opened(sys.argv[1]): pass
"""
    done = subprocess.run([sys.executable, "-c", killed, url], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-9, "")
    with closing(sqlite3.connect(tmp_path / "wardround.sqlite")) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == []
    with opened(url) as database, database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, VERSION_TABLE}


def test_a_file_that_is_not_a_database_is_a_storage_error(tmp_path):
    (tmp_path / "ward.sqlite").write_text("a letter, and a long one at that; " * 100)
    with (
        pytest.raises(StorageError, match=r"ward\.sqlite: is not a SQLite database"),
        opened(f"sqlite:///{tmp_path}/ward.sqlite"),
    ):
        pass
    assert (tmp_path / "ward.sqlite").read_text().startswith("a letter")


def test_a_file_where_a_folder_is_expected_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="there is a file where a folder is expected"),
        opened(f"sqlite:///{tmp_path}/file/w"),
    ):
        pass


def test_a_disk_that_is_full_is_an_error_of_ours_and_loses_nothing(url, database, fill, runs):
    fill(database, "kept")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))  # Python ignores the signal that comes with it
    try:
        with pytest.raises(StorageError, match=r"wardround\.sqlite: .*expected to read and write there"):
            fill(database, *(f"run-{number}" for number in range(20_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert runs(database) == 1


def test_a_lock_that_is_held_too_long_is_an_error_of_ours(url, database, monkeypatch):
    monkeypatch.setattr("wardround.adapters.database.database.WAIT", 0.05)
    with opened(url) as impatient, database.writing() as connection:
        connection.execute(delete(HISTORY_RUN))
        with pytest.raises(DatabaseError, match="another process has kept it locked for too long"), impatient.writing():
            pass


def test_threads_share_a_database_each_with_a_transaction_of_its_own(database, fill, runs):
    threads = [threading.Thread(target=fill, args=(database, f"run-{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs(database) == 8


def test_a_folder_with_an_odd_name_works(tmp_path, runs):
    folder = tmp_path / "ä ö?%41#"
    with opened(database_in(folder)) as database:
        assert runs(database) == 0
    assert (folder / "wardround.sqlite").is_file()
