"""Tests that each hour of the stream is in the history once, beside the runs, and shown where they are."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.adapters.queue.conftest import NOW, raw
from tests.stream.feeding import queue_in

from wardround.adapters.database.history import replace_run, run_in, runs_in
from wardround.adapters.queue.message import Done, Message
from wardround.adapters.queue.queue import Queue
from wardround.cli.main import wardround
from wardround.report.history import STREAM, WHOLE, RunHistory
from wardround.settings import database_in
from wardround.stream.stages import STAGES
from wardround.stream.upkeep import keep_series

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURS_END = NOW + HOUR
WRITTEN = NOW + HOUR + 17 * MINUTE


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with queue_in(tmp_path) as one:
        yield one


@pytest.fixture
def worked(queue: Queue) -> Queue:
    """A queue with an hour in which three messages were flagged, one of them in vain, and two scored and written."""
    queue.put([raw(number) for number in range(4)])
    first, second, third = taken(queue, "flag", 3)
    queue.finish([Done(first, "done"), Done(second, "done"), Done(third, "dead", "a rule")], NOW + timedelta(seconds=2))
    queue.put([raw(number, stage="predict", key=f"{number}") for number in range(3)])
    ends = zip(taken(queue, "predict", 3), ("done", "shadow", "indeterminate"), strict=True)
    queue.finish([Done(one, outcome) for one, outcome in ends], NOW + MINUTE)
    queue.put([raw(number, stage="notify", key=f"{number}") for number in range(2)])
    for minutes, one in enumerate(taken(queue, "notify", 2), start=1):
        queue.finish([Done(one, "done")], NOW + minutes * MINUTE)
    return queue


def taken(queue: Queue, stage: str, most: int) -> list[Message]:
    return queue.take(stage, most, HOUR, NOW, together=True)


def kept(queue: Queue, run: str) -> dict[tuple[str, str], float]:
    with queue.database.reading() as connection:
        found = run_in(connection, run)
    assert found is not None
    return {(one.unit, one.measure): one.value for one in found.figures}


def test_an_hour_is_written_with_what_each_stage_did_and_what_waits(worked: Queue) -> None:
    run = keep_series(worked, WRITTEN, WRITTEN)

    assert run == "stream-door-20260102T060000Z"
    figures = kept(worked, run)
    whole = {measure: value for (unit, measure), value in figures.items() if unit == WHOLE}
    assert whole == {
        "messages": 3,
        "scored": 2,
        "failed": 1,
        "waiting": 1,
        "oldest": 77 * 60,
        "total_lower": 75,
        "total_median": 90,
        "total_upper": 105,
    }
    assert {unit for unit, _ in figures} == {WHOLE, *STAGES}
    flagged = {measure: value for (unit, measure), value in figures.items() if unit == "flag"}
    assert flagged == {
        **{"taken": 3, "failed": 1, "outcome:done": 2, "outcome:dead": 1},
        **{"seconds_lower": 2, "seconds_median": 2, "seconds_upper": 2},
        **{"waiting": 1, "planned": 0, "oldest": 77 * 60, "dead_letters": 1},
    }
    assert figures["query", "taken"] == 0


def test_only_the_full_hour_counts_whenever_in_the_next_one_it_is_written(worked: Queue) -> None:
    late, later = raw(9), NOW + HOUR + MINUTE
    worked.put([late])
    worked.finish([Done(one, "done") for one in worked.take("flag", 9, HOUR, later, together=True)], later)

    assert kept(worked, keep_series(worked, WRITTEN, WRITTEN))[WHOLE, "messages"] == 3
    assert kept(worked, keep_series(worked, WRITTEN + HOUR, WRITTEN + HOUR))[WHOLE, "messages"] == 2


def test_an_hour_that_is_written_again_is_the_same_and_is_there_once(worked: Queue) -> None:
    before = kept(worked, keep_series(worked, WRITTEN, WRITTEN))
    rest = taken(worked, "flag", 9)
    worked.finish([Done(one, "done") for one in rest], WRITTEN)

    again = keep_series(worked, WRITTEN, WRITTEN + 5 * HOUR)

    assert kept(worked, again) == before
    with worked.database.reading() as connection:
        assert [one.run for one in runs_in(connection, STREAM)] == [again]


def test_it_is_listed_by_its_name_shown_and_compared_and_no_run_of_a_condition(worked: Queue, tmp_path: Path) -> None:
    first, second = keep_series(worked, WRITTEN, WRITTEN), keep_series(worked, WRITTEN + HOUR, WRITTEN + HOUR)
    screening = RunHistory("sepsis-a", "sepsis", "ward", NOW, "live", "complete", "1.0.0-abc", ())
    with worked.database.writing() as connection:
        replace_run(connection, screening)

    def called(*words: str) -> str:
        environment = {"WARDROUND_VAR": str(tmp_path), "WARDROUND_DATABASE": database_in(tmp_path)}
        done = CliRunner(env=environment).invoke(wardround, ["history", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert [one["run"] for one in json.loads(called("list", "--json"))["runs"]] == ["sepsis-a"]
    hours = json.loads(called("list", STREAM, "--json"))["runs"]
    assert [one["run"] for one in hours] == [second, first]
    assert hours[1]["figures"]["messages"] == 3
    assert "messages" in called("list", STREAM)
    assert first in called("list", STREAM)
    assert "seconds_median" in called("show", first)
    assert "messages" in called("diff", first, second)
