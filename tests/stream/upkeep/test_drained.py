"""The hourly report of what waits and what became of the last hour, and the removal of what ended long ago."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.adapters.queue.conftest import NOW, raw
from tests.adt.ward import NOON, adt
from tests.stream.flagging import Flagging, ways

from wardround.adapters.database.bedside_removal import purge
from wardround.adapters.database.database import opened
from wardround.adapters.database.notifications import ToldOf, keep_told
from wardround.adapters.database.tables import NOTIFICATION
from wardround.adapters.queue.message import Done
from wardround.adapters.queue.queue import Queue
from wardround.errors import RunIncomplete
from wardround.results.alert_policy import Notification
from wardround.settings import PROJECT
from wardround.spec.loading import load_condition
from wardround.spec.stream import Keep
from wardround.stream.stages import QUEUES
from wardround.stream.upkeep import drain_report, prune, require_drained

LEASE = timedelta(minutes=1)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with opened(f"sqlite:///{tmp_path / 'wardround.db'}") as database:
        yield Queue(database)


def test_the_report_counts_what_waits_and_what_ended_within_the_hour(queue: Queue) -> None:
    queue.put([raw(number) for number in range(3)])
    first, second = queue.take("flag", 2, LEASE, NOW, together=True)
    queue.finish([Done(first, "done"), Done(second, "dead", "a rule")], NOW + timedelta(seconds=4))

    report = drain_report(queue, NOW + timedelta(minutes=10))
    assert report["flag"] == {
        "due": 1,
        "planned": 0,
        "oldest": 600.0,
        "dead": 1,
        "ended": {"done": 1, "dead": 1},
        "median": 4.0,
        "slowest": 4.0,
    }
    assert report["notify"] == {
        **dict.fromkeys(("due", "planned", "dead"), 0),
        "oldest": 0.0,
        "ended": {},
    } | dict.fromkeys(("median", "slowest"))
    assert drain_report(queue, NOW + timedelta(hours=2))["flag"]["ended"] == {}


def test_a_backlog_is_reported_until_its_oldest_message_is_young_enough(queue: Queue) -> None:
    queue.put([raw(1)])
    require_drained(drain_report(queue, NOW + timedelta(minutes=30)))
    with pytest.raises(
        RunIncomplete, match=r"stream flag: 1 messages are due, the oldest for 31 min, expected at most 30"
    ):
        require_drained(drain_report(queue, NOW + timedelta(minutes=31)))


def test_bodies_and_visits_are_removed_when_their_time_is_over(queue: Queue) -> None:
    flagging = Flagging(queue, ways(load_condition("sepsis", PROJECT / "include" / "schemas")))
    flagging.take(adt("A01"), adt("A03", when=NOON), adt("A01", "V2", of="P2"))
    keep = Keep(visits=timedelta(days=180))
    kept = {"resolve": 0, "flag": 0, "query": 0, "predict": 0, "notify": 0, "visits": 0, "told": 0}
    assert prune(queue, keep, NOON + timedelta(days=29)) == kept
    assert prune(queue, keep, NOON + timedelta(days=181)) == {**kept, "flag": 3, "query": 1, "visits": 1}
    assert [visit for _, visit, _ in flagging.census()] == ["V2"]


def test_what_people_were_told_is_removed_by_the_settings_and_that_of_the_bedside_by_the_bedside(queue: Queue) -> None:
    old, young = Notification(NOON, NOON, "high"), Notification(NOON + timedelta(days=2), NOON, "high")
    with queue.database.writing() as connection:
        keep_told(connection, ToldOf("old", "sepsis", "ward"), old)
        keep_told(connection, ToldOf("young", "sepsis", "ward"), young)
        keep_told(connection, ToldOf("old", "sepsis", "bedside"), old, card="a uuid")

    assert prune(queue, Keep(told=timedelta(days=30)), NOON + timedelta(days=31))["told"] == 1
    assert told(queue) == {("old", "bedside"), ("young", "ward")}

    with queue.database.writing() as connection:
        purge(connection, NOON, NOON + timedelta(days=365))
    assert told(queue) == {("young", "ward")}


def told(queue: Queue) -> set[tuple[str, str]]:
    with queue.database.reading() as connection:
        return {tuple(row) for row in connection.execute(select(NOTIFICATION.c.stay, NOTIFICATION.c.channel))}


def test_what_subscriptions_announce_is_reported_and_removed_as_all_else_is(queue: Queue) -> None:
    assert "resolve" not in drain_report(queue, NOW)
    queue.put([raw(1, stage="resolve")])
    with pytest.raises(RunIncomplete, match="stream resolve: 1 messages are due"):
        require_drained(drain_report(queue, NOW + timedelta(minutes=31)))
    assert set(Keep().by_stage) == set(QUEUES)
