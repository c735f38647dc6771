"""Tests what happens when a release meets the database of another one, and the way back by a backup."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from wardround.adapters.database import migrating
from wardround.adapters.database.backup import back_up, restore
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import SCHEMA, VERSION_TABLE
from wardround.errors import DatabaseError
from wardround.settings import database_in

RUN = "sepsis-20260102T050000Z-0a1b2c"
ADD_RUN = f"insert into history_run values ('{RUN}', 'sepsis', 'ward', '2026-01-02 05:00:00', 'live', 'complete', '1')"
EARLIER = [f"{number:04d}" for number in range(1, int(SCHEMA))]


def as_of_release(folder: Path, schema: str) -> str:
    """Makes the database of the release that had this schema, with a run in it; returns its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", "wardround.adapters.database:migrations")
    engine = create_engine(database_in(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, schema)
        connection.exec_driver_sql(ADD_RUN)
    engine.dispose()
    return database_in(folder)


def content(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "wardround.sqlite")) as connection:
        return list(connection.iterdump())


def schema_in(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "wardround.sqlite")) as connection:
        return str(connection.execute(f"select version_num from {VERSION_TABLE}").fetchone()[0])


@pytest.mark.parametrize("schema", EARLIER)
def test_the_database_of_every_earlier_release_is_migrated_with_its_rows(tmp_path, runs, schema):
    with opened(as_of_release(tmp_path, schema)) as database:
        assert runs(database) == 1
    assert schema_in(tmp_path) == SCHEMA


def test_an_older_release_refuses_a_newer_database_by_name_and_leaves_it_as_it_is(tmp_path, monkeypatch):
    with opened(database_in(tmp_path)):
        pass
    before = content(tmp_path)
    monkeypatch.setattr(migrating, "SCHEMA", EARLIER[-1])  # what the older release expects
    said = f"has schema {SCHEMA}, of a newer release, expected {EARLIER[-1]} at most; install that release, or restore"
    with pytest.raises(DatabaseError, match=said), opened(database_in(tmp_path)):
        pass
    assert content(tmp_path) == before


def test_the_way_back_is_the_backup_of_before(tmp_path, monkeypatch, runs):
    """The older release restores its own backup into a new database, and goes on; the newer one keeps its own."""
    old, new = tmp_path / "old", tmp_path / "new"
    as_of_release(old, SCHEMA)
    with opened(database_in(old)) as database:
        back_up(database, tmp_path / "backup")
    shutil.copytree(old, new)
    with closing(sqlite3.connect(new / "wardround.sqlite")) as connection:
        connection.execute(f"update {VERSION_TABLE} set version_num = '{int(SCHEMA) + 1:04d}'")  # upgraded
        connection.commit()
    with pytest.raises(DatabaseError, match="of a newer release"), opened(database_in(new)):
        pass
    with opened(database_in(tmp_path / "again")) as database:
        restore(database, tmp_path / "backup")
        assert runs(database) == 1


def test_a_backup_of_an_earlier_release_is_restored_by_a_newer_one(tmp_path, runs):
    as_of_release(tmp_path / "old", EARLIER[0])
    with opened(database_in(tmp_path / "new")) as database:
        restore(database, tmp_path / "old" / "wardround.sqlite")
        assert runs(database) == 1
