"""Tests that a run is in the history once, as it was last written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from wardround.adapters.database.history import replace_run, run_in, runs_in
from wardround.report.history import WHOLE, Figure, RunHistory

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)
FIGURES = (Figure(WHOLE, "found", 3.0), Figure(WHOLE, "mean_score", 0.125), Figure("A — ß", "found", 3.0))


def run(name="sepsis-a", condition="sepsis", as_of=AS_OF, figures=FIGURES):
    return RunHistory(name, condition, "ward", as_of, "live", "complete", "1.0.0-abc", figures)


def write(database, *histories):
    for history in histories:
        with database.writing() as connection:
            replace_run(connection, history)


def read(database, name="sepsis-a"):
    with database.reading() as connection:
        return run_in(connection, name)


def listed(database, *asked):
    with database.reading() as connection:
        return [one.run for one in runs_in(connection, *asked)]


def test_a_run_is_read_as_it_was_written(database):
    write(database, run())
    assert read(database) == run()
    assert read(database, "another") is None


def test_a_run_that_is_written_again_takes_its_own_place(database):
    other = run("sepsis-b")
    write(database, run(), other)
    again = replace(run(), state="taken_back", figures=(Figure(WHOLE, "found", 4.0),))
    write(database, again, again)
    assert read(database) == again
    assert read(database, "sepsis-b") == other


def test_a_run_without_figures_is_a_run(database):
    write(database, run(figures=()))
    assert read(database) == run(figures=())
    assert listed(database) == ["sepsis-a"]


def test_runs_are_listed_the_latest_first_with_the_figures_of_the_whole_run(database):
    days = [AS_OF + timedelta(days=day) for day in range(3)]
    write(database, *(run(f"sepsis-{number}", as_of=day) for number, day in enumerate(days)))
    write(database, run("mortality-0", "mortality"))
    assert listed(database) == ["sepsis-2", "sepsis-1", "mortality-0", "sepsis-0"]
    assert listed(database, "sepsis", days[1]) == ["sepsis-2", "sepsis-1"]
    assert listed(database, "another") == []
    with database.reading() as connection:
        assert {one.unit for found in runs_in(connection) for one in found.figures} == {WHOLE}


def test_a_time_of_another_zone_is_the_same_time(database):
    write(database, run(as_of=datetime.fromisoformat("2026-01-02T10:30:00+05:30")))
    assert read(database).as_of == AS_OF
    assert listed(database, None, datetime.fromisoformat("2026-01-02T00:00:00-05:00")) == ["sepsis-a"]


@pytest.mark.parametrize("writers", [8])
def test_simultaneous_writers_of_one_run_take_turns(database, writers):
    threads = [Thread(target=write, args=(database, run())) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(database) == run()
    assert listed(database) == ["sepsis-a"]
