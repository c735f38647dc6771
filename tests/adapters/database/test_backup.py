"""Tests that a backup is a snapshot of one moment, and that a restore replaces everything or changes nothing."""

import shutil
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import func, select, text
from tests.adapters.database.processes import killed_at

from wardround.adapters.database.backup import back_up, restore
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import HISTORY_FIGURE, HISTORY_RUN, METADATA, VERSION_TABLE
from wardround.errors import DatabaseError, StorageError
from wardround.settings import database_in

FIGURES = 3


def rows_of(runs):
    """Returns the number of rows by table of a database that holds nothing but runs."""
    empty = {table.name: 0 for table in METADATA.sorted_tables}
    return {**empty, "history_run": runs, "history_figure": runs * FIGURES}


def test_what_was_backed_up_is_there_again(database, fill, held, tmp_path):
    fill(database, "a", "b")
    before = held(database)
    assert back_up(database, tmp_path / "backup") == rows_of(2)
    fill(database, "c")
    assert restore(database, tmp_path / "backup") == rows_of(2)
    assert held(database) == before


def test_a_backup_and_its_restoration_leave_no_table_out(database, fill_all, held, tmp_path):
    fill_all(database)
    back_up(database, tmp_path / "backup")
    with opened(database_in(tmp_path / "other")) as other:
        assert set(restore(other, tmp_path / "backup").values()) == {1}
        assert held(other) == held(database)


def test_a_backup_is_one_file_and_goes_into_another_database(database, fill, held, tmp_path):
    fill(database, *(f"run-{number}" for number in range(1_500)))  # more than are in memory at once
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    back_up(database, folder / "backup")
    assert [path.name for path in folder.iterdir()] == ["backup"]
    with opened(database_in(tmp_path / "other")) as other:
        fill(other, "gone")
        restore(other, folder / "backup")
        assert held(other) == held(database)


def test_an_empty_database_is_backed_up_and_restored_as_any_other(database, fill, runs, tmp_path):
    back_up(database, tmp_path / "backup")
    fill(database, "a")
    assert restore(database, tmp_path / "backup") == rows_of(0)
    assert runs(database) == 0


def test_a_backup_while_somebody_writes_holds_whole_transactions(url, database, fill, tmp_path):
    fill(database, "first")
    stop, started = threading.Event(), threading.Event()

    def write():
        with opened(url) as own:
            number = 0
            while not stop.is_set():
                fill(own, f"run-{number}")
                started.set()
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        started.wait()
        for number in range(3):
            back_up(database, tmp_path / f"backup-{number}")
    finally:
        stop.set()
        writer.join()
    seen = []
    for number in range(3):
        with opened(f"sqlite:///{tmp_path}/backup-{number}") as backup, backup.reading() as connection:
            counts = [
                connection.execute(select(func.count()).select_from(one)).scalar()
                for one in (HISTORY_RUN, HISTORY_FIGURE)
            ]
        assert counts[1] == FIGURES * counts[0]
        seen.append(counts[0])
    assert seen[0] >= 2
    assert seen == sorted(seen)


def test_a_backup_that_is_killed_leaves_the_one_before(url, database, fill, held, tmp_path):
    fill(database, "a")
    back_up(database, tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    fill(database, *(f"run-{number}" for number in range(1_500)))
    whole = killed_at(10**9, "back_up", url, tmp_path / "other")
    for statement in {1, whole // 2, whole - 1}:
        assert killed_at(statement, "back_up", url, tmp_path / "backup") is None
        assert (tmp_path / "backup").read_bytes() == before


def test_a_restoration_that_is_killed_at_any_statement_changes_nothing(url, database, fill, held, tmp_path):
    fill(database, "a", "b")
    back_up(database, tmp_path / "backup")
    fill(database, "c")
    before = held(database)
    copy = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-copy")
    whole = killed_at(10**9, "restore", database_in(copy), tmp_path / "backup")
    assert whole > 6  # it read a schema, removed two tables and filled them again
    for statement in range(whole - 5, whole + 1):  # all that write, the last before the commit among them
        assert killed_at(statement, "restore", url, tmp_path / "backup") is None
        assert held(database) == before
    restore(database, tmp_path / "backup")
    assert len(held(database)["history_run"]) == 2


def test_a_database_is_not_backed_up_onto_itself(database, fill, runs, tmp_path):
    fill(database, "a")
    with pytest.raises(StorageError, match="is the database itself"):
        back_up(database, database.place.file)
    assert runs(database) == 1


@pytest.mark.parametrize("kind", ["absent", "folder", "empty", "text", "another database", "cut off", "changed"])
def test_what_is_no_whole_backup_is_refused_and_changes_nothing(kind, database, fill, held, tmp_path):
    fill(database, *(f"run-{number}" for number in range(200)))
    file = tmp_path / "given"
    back_up(database, file)
    fill(database, "kept")
    before = held(database)
    match kind:
        case "absent":
            file.unlink()
        case "folder":
            file.unlink()
            file.mkdir()
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("no backup " * 1000)
        case "another database":
            file.unlink()
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("create table history_run (run text)")
        case "cut off":
            file.write_bytes(file.read_bytes()[: -3 * 4096])
        case "changed":
            content = bytearray(file.read_bytes())
            content[5 * 4096 : 5 * 4096 + 64] = b"\xff" * 64
            file.write_bytes(bytes(content))
    error = FileNotFoundError if kind == "absent" else StorageError
    with pytest.raises(error, match="given"):
        restore(database, file)
    assert held(database) == before


def test_a_backup_of_a_newer_release_is_refused_by_its_name(database, fill, held, tmp_path):
    fill(database, "a")
    back_up(database, tmp_path / "given")
    with closing(sqlite3.connect(tmp_path / "given")) as connection:
        connection.execute(f"update {VERSION_TABLE} set version_num = '0999'")
        connection.commit()
    before = held(database)
    with pytest.raises(DatabaseError, match=r"given: has schema 0999, of a newer release"):
        restore(database, tmp_path / "given")
    assert held(database) == before


def test_a_backup_is_not_changed_by_its_restoration(database, fill, tmp_path):
    fill(database, "a")
    back_up(database, tmp_path / "given")
    before = (tmp_path / "given").read_bytes()
    restore(database, tmp_path / "given")
    assert (tmp_path / "given").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "given",
        "wardround.sqlite",
        "wardround.sqlite-shm",
        "wardround.sqlite-wal",
    }


def test_a_restoration_waits_its_turn_and_others_wait_for_theirs(url, database, fill, runs, tmp_path):
    fill(database, "a")
    back_up(database, tmp_path / "backup")
    with opened(url) as other:
        with other.writing() as connection:
            restoring = threading.Thread(target=restore, args=(database, tmp_path / "backup"))
            restoring.start()
            connection.execute(text("delete from history_run"))
        restoring.join()
        assert runs(other) == 1
