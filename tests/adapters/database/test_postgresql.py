"""Tests the same on PostgreSQL: created and migrated once, read as a snapshot, backed up into either kind."""

from datetime import UTC, datetime
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from tests.adapters.database.processes import killed_at, write_at_once
from tests.adapters.database.test_bedside import require_use, use_of
from tests.adapters.database.test_history import listed, read, run, write

from wardround.adapters.database.backup import back_up, restore
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import METADATA, VERSION_TABLE
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.errors import DatabaseError
from wardround.settings import database_in

pytestmark = pytest.mark.long


@pytest.fixture
def name(postgresql):
    return postgresql.new_database()


@pytest.fixture
def url(postgresql, name):
    return postgresql.url(name)


def test_many_processes_make_one_database_at_once_and_lose_nothing(url, runs):
    write_at_once(url, writers=4)
    with opened(url) as database:
        assert runs(database) == 80


def test_the_migrations_end_with_the_tables_that_the_code_uses(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_one_of_many_takes_a_token_first(database):
    used, now = UsedTokens(database), datetime(2026, 1, 2, 5, tzinfo=UTC)
    taken: list[bool] = []
    takers = [Thread(target=lambda: taken.append(used.take("ehr", "one", now, now))) for _ in range(8)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(taken) == [False] * 7 + [True]


def test_a_reader_sees_one_moment_and_writes_nothing(url, database, fill):
    with database.reading() as connection:
        assert connection.execute(text("select count(*) from history_run")).scalar() == 0
        fill(database, "meanwhile")
        assert connection.execute(text("select count(*) from history_run")).scalar() == 0

    def write():
        with database.reading() as connection:
            connection.execute(text("delete from history_run"))

    with pytest.raises(DatabaseError, match="read-only"):
        write()


def test_a_backup_goes_into_sqlite_and_back(database, fill, held, tmp_path):
    fill(database, *(f"run-{number} ß" for number in range(1_200)))
    before = held(database)
    back_up(database, tmp_path / "first")
    with opened(database_in(tmp_path / "other")) as other:
        fill(other, "gone")
        restore(other, tmp_path / "first")
        assert held(other) == before
        back_up(other, tmp_path / "second")
    fill(database, "gone")
    restore(database, tmp_path / "second")
    assert held(database) == before


def test_a_backup_and_its_restoration_leave_no_table_out(database, fill_all, held, tmp_path):
    fill_all(database)
    before = held(database)
    back_up(database, tmp_path / "backup")
    assert set(restore(database, tmp_path / "backup").values()) == {1}
    assert held(database) == before


def test_the_figures_of_the_bedside_are_the_same(database):
    require_use(use_of(database))


def test_who_is_in_a_hurry_waits_less_for_a_lock(postgresql, name, database):
    with postgresql.connected(name) as other, other.transaction(), database.hurried(0.05) as hurried:
        other.execute("lock table history_run in access exclusive mode")

        def wait():
            with hurried.writing() as connection:
                connection.execute(text("delete from history_run"))

        with pytest.raises(DatabaseError, match="another process has kept it locked for too long"):
            wait()


def test_a_restoration_that_is_killed_changes_nothing(url, database, fill, held, postgresql, tmp_path):
    fill(database, "a", "b")
    back_up(database, tmp_path / "backup")
    fill(database, "c")
    before = held(database)
    whole = killed_at(10**9, "restore", postgresql.url(postgresql.new_database()), tmp_path / "backup")
    for statement in (whole - 3, whole - 1, whole):
        assert killed_at(statement, "restore", url, tmp_path / "backup") is None
        assert held(database) == before
    assert restore(database, tmp_path / "backup")["history_run"] == 2


def test_a_restoration_waits_for_who_writes(database, fill, runs, tmp_path):
    fill(database, "a")
    back_up(database, tmp_path / "backup")
    with database.writing() as connection:
        connection.execute(text("delete from history_run"))
        restoring = Thread(target=restore, args=(database, tmp_path / "backup"))
        restoring.start()
    restoring.join()
    assert runs(database) == 1


def test_each_refusal_has_its_cause_and_shows_no_password(postgresql, name, url, database):
    other = postgresql.url(postgresql.new_database())
    free = postgresql.url(name).replace(str(postgresql.port), "1")
    for wrong, said in {
        postgresql.url(name, password="s3cr"): "refused the user or the password",
        postgresql.url(name, user="nobody"): "refused the user or the password",
        postgresql.url("nowhere"): "there is no such database or user",
        free: "nothing is listening there",
        url.replace("127.0.0.1", "nowhere.invalid"): "the host name does not resolve",
        f"{other}?options=-c%20default_transaction_read_only%3Don": "read-only",
        f"{other}?options=-c%20search_path%3Dnowhere": "no schema to create tables in",
    }.items():
        with pytest.raises(DatabaseError, match=said) as error, opened(wrong):
            pass
        assert "s3cr" not in str(error.value)


def test_a_user_without_permissions_gets_an_error_that_says_so(postgresql, name):
    with postgresql.connected(name) as connection:
        connection.execute("create role reader login password 'r'")
    with pytest.raises(DatabaseError, match="no permission"), opened(postgresql.url(name, "reader", "r")):
        pass


def test_a_connection_that_was_ended_costs_one_error_and_the_next_use_works(postgresql, name, database, fill, runs):
    fill(database, "a")
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"

    def cut_off():
        with database.writing() as connection:
            connection.execute(text("delete from history_run"))
            with postgresql.connected(name) as administrator:
                administrator.execute(end, [name])
            connection.execute(text("delete from history_run"))

    with pytest.raises(DatabaseError, match=r"shutting down|the connection was lost"):
        cut_off()
    assert runs(database) == 1


def test_a_lock_that_is_held_too_long_is_an_error_of_ours(postgresql, name, database, monkeypatch):
    monkeypatch.setattr("wardround.adapters.database.database.WAIT", 0.05)
    with postgresql.connected(name) as other, other.transaction(), opened(postgresql.url(name)) as impatient:
        other.execute("lock table history_run in access exclusive mode")

        def wait():
            with impatient.reading() as connection:
                connection.execute(text("select count(*) from history_run"))

        with pytest.raises(DatabaseError, match="another process has kept it locked for too long"):
            wait()


def test_it_lives_beside_the_tables_of_airflow(postgresql, name, fill, runs):
    with postgresql.connected(name) as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('e1b2c3d4')")
    with opened(postgresql.url(name)) as database:
        fill(database, "a")
        assert runs(database) == 1
    with postgresql.connected(name) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("e1b2c3d4",)]


def test_who_writes_one_run_of_the_history_at_once_writes_it_in_turn(database):
    threads = [Thread(target=write, args=(database, run())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(database) == run()
    write(database, run("sepsis-b", as_of=datetime.fromisoformat("2026-01-02T10:31:00+05:30")))
    assert listed(database) == ["sepsis-b", "sepsis-a"]
