"""`wardround stream`: shows how the queues are doing, deals with dead letters, and pauses stages and sources."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.stream.feeding import settings_file

from wardround.adapters.database.database import opened
from wardround.adapters.queue.message import DEAD, Done, Put
from wardround.adapters.queue.pauses import pauses
from wardround.adapters.queue.queue import Queue
from wardround.cli.main import wardround
from wardround.settings import database_in

SECRET = "MSH|^~\\&|…|PID|4711|Meier"


@pytest.fixture
def called(tmp_path: Path):
    """called(*words) returns what the command says, about a database of its own."""
    settings = settings_file(tmp_path)
    environment = {"WARDROUND_DATABASE": database_in(tmp_path), "WARDROUND_STREAM": str(settings), "USER": "ward"}

    def call(*words: str) -> Result:
        return CliRunner(env=environment).invoke(wardround, ["stream", *words])

    return call


@pytest.fixture
def queue(tmp_path: Path):
    with opened(database_in(tmp_path)) as database:
        yield Queue(database)


@pytest.fixture
def dead(queue: Queue) -> int:
    """The number of a dead letter, beside a message that waits."""
    now = datetime.now(UTC)
    queue.put([Put("flag", "all", f"{SECRET} {one}".encode(), f"digest {one}", now, now, "main") for one in range(2)])
    first, second = queue.take("flag", 2, timedelta(seconds=10), now, together=True)
    queue.finish([Done(first, DEAD, "no_patient, PID-3")], now)
    queue.put_back([second], now)
    return first.seq


def test_status_says_what_waits_and_what_became_of_messages(called, dead):
    said = json.loads(called("status", "--json").stdout)["stages"]["flag"]
    assert (said["waiting"], said["dead"], said["last_hour"]["failed"]) == (1, 1, 1)
    assert said["last_hour"]["fails_too_often"]

    shown = called("status").stdout
    assert "flag: 1 of 1 failed (100.0%), expected 2% at most" in shown
    assert SECRET not in shown


def test_status_of_a_month_counts_that_month(called, dead):
    this = datetime.now(UTC).strftime("%Y-%m")
    assert json.loads(called("status", "--month", this, "--json").stdout)["stages"]["flag"]["taken"] == 1
    assert json.loads(called("status", "--month", "2001-12", "--json").stdout)["stages"]["flag"]["taken"] == 0
    assert "flag: 1 of 1 failed" in called("status", "--month", this).stdout
    assert called("status", "--month", "December").exit_code == 2


def test_dead_letters_are_listed_without_what_they_hold(called, dead):
    [listed] = json.loads(called("dead", "list", "--json").stdout)["dead_letters"]
    assert (listed["seq"], listed["reason"], listed["can_be_retried"]) == (dead, "no_patient, PID-3", True)

    for words in (["dead", "list"], ["dead", "show", str(dead)], ["dead", "list", "--stage", "query"]):
        shown = called(*words)
        assert shown.exit_code == 0
        assert "Meier" not in shown.output
    assert called("dead", "show", "999").exit_code == 2


def test_a_dead_letter_is_written_into_a_file_for_its_owner_corrected_and_sent_again(called, dead, queue, tmp_path):
    body = tmp_path / "letter.hl7"
    assert called("dead", "show", str(dead), "--body", str(body)).exit_code == 0
    assert body.read_text(encoding="utf-8") == f"{SECRET} 0"
    assert stat.S_IMODE(body.stat().st_mode) == 0o600
    assert called("dead", "show", str(dead), "--body", str(body)).exit_code == 2

    body.write_text("corrected", encoding="utf-8")
    assert called("dead", "replace", str(dead), str(body)).exit_code == 2  # without --why
    assert called("dead", "replace", str(dead), str(body), "--why", "a number was missing").exit_code == 0
    assert called("dead", "replace", str(dead), str(body), "--why", "again").exit_code == 2
    now = datetime.now(UTC)
    assert [one.body for one in queue.take("flag", 9, timedelta(seconds=10), now, together=True)][-1] == b"corrected"


def test_dead_letters_are_handled_again_once(called, dead):
    assert called("dead", "retry", str(dead), "--why", "mended").exit_code == 0
    assert called("dead", "list").stdout == "There are no dead letters.\n"
    assert called("dead", "retry", str(dead), "--why", "mended").exit_code == 1


def test_a_stage_or_a_source_is_paused_with_a_reason_and_resumed(called, queue):
    assert called("pause", "stage", "query", "--why", "the server moves").exit_code == 0
    assert called("pause", "source", "main", "--why", "the engine is tested").exit_code == 0
    assert [(one.kind, one.name, one.who, one.why) for one in pauses(queue.database)] == [
        ("source", "main", "ward", "the engine is tested"),
        ("stage", "query", "ward", "the server moves"),
    ]
    shown = called("status").stdout
    assert "stage query: paused since" in shown
    assert "source main: paused since" in shown

    assert called("pause", "stage", "sweep", "--why", "x").exit_code == 2
    assert called("pause", "source", "other", "--why", "x").exit_code == 2
    assert "goes on" in called("resume", "stage", "query").stdout
    assert "was not paused" in called("resume", "stage", "query").stdout


def test_alarms_are_listed_acknowledged_and_suspended(called, queue):
    from wardround.adapters.queue.alarm_rows import settle

    assert called("alarms", "list").stdout == "There are no alarms.\n"
    settle(queue.database, ["oldest:query"], timedelta(hours=4), datetime.now(UTC))
    assert called("alarms", "acknowledge", "oldest:query").exit_code == 0
    assert called("alarms", "acknowledge", "disk").exit_code == 2
    assert called("alarms", "suspend", "disk", "--for", "2h").exit_code == 0
    assert called("alarms", "suspend", "disk").exit_code == 2

    suspended, raised = json.loads(called("alarms", "list", "--json").stdout)["alarms"]
    assert (suspended["name"], suspended["since"], suspended["who"]) == ("disk", None, "ward")
    assert (raised["name"], raised["acknowledged"] is not None, raised["who"]) == ("oldest:query", True, "ward")
    assert "oldest:query" in called("alarms", "list").stdout
