"""Tests that alarms are raised for what people must see, sent until somebody knows, and end."""

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.adapters.queue.conftest import NOW, raw
from tests.stream.feeding import settings as feed
from tests.stream.receiver import receiving

from wardround.adapters.database.database import opened
from wardround.adapters.queue.alarm_rows import acknowledge, alarms, suspend
from wardround.adapters.queue.figures import Waiting, stuck
from wardround.adapters.queue.message import DEAD, LATER, Done
from wardround.adapters.queue.pauses import Pause
from wardround.adapters.queue.queue import Queue
from wardround.spec.alarms import Alarms
from wardround.spec.stream import StreamSettings
from wardround.stream.alarm_hook import Hook
from wardround.stream.alarm_rules import Seen, alarms_of
from wardround.stream.channels.http import Sender
from wardround.stream.channels.webhook import signature
from wardround.stream.stages import STAGES
from wardround.stream.status import StageStatus, Status, Worked
from wardround.stream.watch import Watch

KEY = b"0123456789abcdef01234567"
LIMITS = Alarms(waiting=5, oldest="10m", stuck="1h", silent="6h", free=100, repeat="4h")
EMPTY = Status(NOW, tuple(StageStatus(name, Waiting(), 0, None, Worked()) for name in STAGES), {}, ())


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def seen(waiting: Waiting = Waiting(), hour: Worked = Worked(), paused: tuple[Pause, ...] = (), **facts) -> Seen:  # noqa: B008
    stages = (replace(EMPTY.stages[0], waiting=waiting, hour=hour), *EMPTY.stages[1:])
    known = {"stuck": {}, "heard": {"main": NOW}, "free": None, **facts}
    return Seen(replace(EMPTY, stages=stages, paused_sources=paused), **known)


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (seen(), None),
        (seen(Waiting(due=5)), None),
        (seen(Waiting(due=6)), "waiting:flag"),
        (seen(Waiting(1, 0, NOW - minutes(10))), None),
        (seen(Waiting(1, 0, NOW - minutes(10.1))), "oldest:flag"),
        (seen(stuck={"query": {"": 1}}), "stuck:query"),
        (seen(heard={"main": NOW - timedelta(hours=6)}), None),
        (seen(heard={"main": NOW - timedelta(hours=6, seconds=1)}), "silent:main"),
        (seen(heard={"main": NOW - timedelta(days=1)}, paused=(Pause("source", "main", NOW, "", ""),)), None),
        (seen(free=100), None),
        (seen(free=99), "disk"),
        (seen(hour=Worked({"done": 39, DEAD: 1})), "failures:flag"),
        (seen(hour=Worked({"done": 1, DEAD: 1})), None),  # too few to say a share
    ],
)
def test_an_alarm_is_raised_beyond_its_limit_and_not_at_it(state, name):
    assert list(alarms_of(state, LIMITS)) == ([name] if name else [])


def test_a_message_that_was_tried_and_waits_is_stuck_and_one_that_is_planned_is_not(queue):
    queue.put([raw(1), raw(2, "other"), raw(3, "third", due=NOW + timedelta(hours=6))])
    first, second = queue.take("flag", 2, timedelta(seconds=10), NOW)
    queue.finish([Done(first, LATER, due=NOW + minutes(5)), Done(second, "done")], NOW)

    assert stuck(queue, NOW + minutes(1)) == {"flag": {"": 1}}
    assert stuck(queue, NOW) == {}


def test_an_alarm_of_what_is_stuck_names_the_most_frequent_reasons():
    reasons = {"no Location 'ICU 7'": 3, "patient_not_there": 4, "FhirError in search, line 1": 1, "": 1, "no model": 2}

    assert alarms_of(seen(stuck={"query": reasons}), LIMITS)["stuck:query"] == (
        "11 messages of query were tried and are not finished: patient_not_there (4); no Location 'ICU 7' (3);"
        " no model (2); and others"
    )
    assert alarms_of(seen(stuck={"query": {"": 2}}), LIMITS)["stuck:query"] == (
        "2 messages of query were tried and are not finished"
    )


@pytest.fixture
def own(urls):
    """A database without the messages of other tests."""
    with opened(urls("sqlite")) as database:
        yield database


def settings(**limits) -> StreamSettings:
    return feed().model_copy(update={"alarms": Alarms.model_validate({"free": 1, **limits})})


@pytest.fixture
def watched(own):
    """What is needed to watch: the queue, the watch, and the program that takes alarms."""
    with receiving() as receiver:
        hook = Hook(receiver.url, (KEY,), Sender())
        watch = Watch(own, settings(waiting=1, silent="1000d"), hook, NOW)
        yield SimpleNamespace(queue=Queue(own), watch=watch, receiver=receiver)
        hook.sender.close()


def told(watched) -> list[tuple[str, str]]:
    said = [json.loads(one.body)["data"] for one in watched.receiver.received]
    return [(one["alarm"], one["state"]) for one in said]


def raise_one(watched) -> None:
    watched.queue.put([raw(1), raw(2)])
    watched.watch.look(NOW)


def end_it(watched, at: datetime) -> None:
    taken = watched.queue.take("flag", 2, timedelta(seconds=10), at, together=True)
    watched.queue.finish([Done(one, "done") for one in taken], at)


def test_an_alarm_is_signed_sent_again_in_time_and_its_end_is_told(watched):
    raise_one(watched)
    watched.watch.look(NOW + timedelta(minutes=5))
    assert told(watched) == [("waiting:flag", "raised")]
    [request] = watched.receiver.received
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = signature(KEY, headers["webhook-id"], headers["webhook-timestamp"], request.body)
    assert headers["webhook-signature"] == signed
    assert b"body" not in request.body.replace(b"nobody", b"")

    watched.watch.look(NOW + timedelta(hours=4))
    assert ("waiting:flag", "raised") in told(watched)[1:]
    end_it(watched, NOW + timedelta(hours=4))
    assert watched.watch.look(NOW + timedelta(hours=4)) == {}
    assert ("waiting:flag", "ended") in told(watched)
    assert alarms(watched.queue.database) == []


def test_an_alarm_that_could_not_be_sent_is_sent_when_it_can(watched):
    watched.receiver.answer(503, 503)
    raise_one(watched)
    watched.watch.look(NOW + minutes(1))
    watched.watch.look(NOW + minutes(2))
    watched.watch.look(NOW + minutes(3))
    assert told(watched) == [("waiting:flag", "raised")] * 3


def test_an_alarm_that_somebody_knows_of_is_not_sent_again_but_its_end_is(watched):
    raise_one(watched)
    database = watched.queue.database
    assert acknowledge(database, "waiting:flag", "ward", NOW)
    assert not acknowledge(database, "disk", "ward", NOW)
    watched.watch.look(NOW + minutes(9))
    end_it(watched, NOW + minutes(9))
    watched.watch.look(NOW + minutes(9))
    assert told(watched) == [("waiting:flag", "raised"), ("waiting:flag", "ended")]


def test_a_suspended_alarm_is_silent_until_its_time_is_over(watched):
    suspend(watched.queue.database, "waiting:flag", NOW + minutes(5), "ward")
    watched.watch.look(NOW)
    raise_one(watched)
    assert told(watched) == []
    watched.watch.look(NOW + minutes(5))
    assert told(watched) == [("waiting:flag", "raised")]


def test_a_suspension_outlasts_the_alarm_and_ends_by_itself(watched):
    raise_one(watched)
    suspend(watched.queue.database, "waiting:flag", NOW + minutes(60), "ward")
    end_it(watched, NOW + minutes(1))
    watched.watch.look(NOW + minutes(1))
    assert [(one.name, one.since) for one in alarms(watched.queue.database)] == [("waiting:flag", None)]
    watched.watch.look(NOW + minutes(61))
    assert alarms(watched.queue.database) == []


def test_a_source_that_sends_nothing_is_told_from_when_it_was_watched(own):
    watch = Watch(own, settings(silent="6h"), None, NOW)
    assert watch.look(NOW + timedelta(hours=6)) == {}
    assert list(watch.look(NOW + timedelta(hours=6, minutes=1))) == ["silent:main"]


def test_a_database_that_cannot_be_used_is_an_alarm_too(watched):
    database = watched.queue.database
    database._engine.dispose()  # the last connection takes what is beside the file into it
    content = database.place.file.read_bytes()
    database.place.file.write_bytes(b"something else" * 1_000)
    for _ in range(2):
        assert list(watched.watch.look(NOW)) == ["database"]
        assert "is not a SQLite database" in watched.watch.trouble

    database._engine.dispose()
    database.place.file.write_bytes(content)
    watched.watch.look(NOW)
    assert watched.watch.trouble == ""
    assert told(watched) == [("database", "raised"), ("database", "ended")]


def test_the_disk_of_the_database_is_looked_at(own):
    free = shutil.disk_usage(own.place.file.parent).free // 1_000_000
    assert list(Watch(own, settings(free=2 * free, silent="1000d"), None, NOW).look(NOW)) == ["disk"]
