"""Tests the figures of the stream: what waits, what became of messages, and the times of both."""

from datetime import timedelta

from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.queue.figures import Waiting, stuck
from wardround.adapters.queue.message import DEAD, LATER, Done
from wardround.adapters.queue.pauses import Pause, pause, resume
from wardround.adapters.queue.queue import Queue
from wardround.stream.stages import QUEUES
from wardround.stream.status import FAILURES, Quartiles, Worked, status_of, worked_in

LEASE = timedelta(seconds=60)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def worked_off(queue: Queue, outcomes: list[str], stage: str = "flag", at=NOW, took: float = 2.0, **facts) -> None:
    """Lets messages end with these outcomes, all taken at a time and finished so many seconds later."""
    start = len(outcomes) * 1_000 + hash(stage) % 1_000
    queue.put(
        [raw(start + one, f"{one}", stage=stage)._replace(received=at, due=at, **facts) for one in range(len(outcomes))]
    )
    taken = queue.take(stage, len(outcomes), LEASE, at)
    queue.finish([Done(one, outcome) for one, outcome in zip(taken, outcomes, strict=True)], at + seconds(took))


def of(status, stage: str):
    return next(one for one in status.stages if one.stage == stage)


def test_an_empty_stream_has_stages_and_no_figures(queue):
    status = status_of(queue, NOW)
    assert [one.stage for one in status.stages] == ["flag", "query", "predict", "notify"]
    assert all(one.waiting == Waiting() and one.hour == Worked() for one in status.stages)
    assert status.total is None


def test_what_waits_is_told_apart_from_what_is_planned(queue):
    queue.put(
        [raw(1), raw(2)._replace(received=NOW + seconds(5), due=NOW + seconds(5)), raw(3, due=NOW + seconds(3600))]
    )
    [first] = queue.take("flag", 1, LEASE, NOW, together=True)

    assert of(status_of(queue, NOW + seconds(10)), "flag").waiting == Waiting(due=2, planned=1, oldest=NOW)

    queue.finish([Done(first, LATER, due=NOW + seconds(60))], NOW + seconds(10))
    assert of(status_of(queue, NOW + seconds(10)), "flag").waiting == Waiting(1, 2, NOW + seconds(5))


def test_what_follows_for_a_later_time_of_a_branch_has_waited_since_that_time(queue):
    later = NOW + timedelta(hours=6)
    queue.put([raw(1, stage="predict")._replace(as_of=later), raw(2, stage="notify")])
    [taken] = queue.take("predict", 1, LEASE, later + seconds(1))
    queue.finish([Done(taken, LATER)], later + seconds(1))

    found = status_of(queue, later + seconds(3))

    assert of(found, "predict").waiting == Waiting(due=1, oldest=later)
    assert of(found, "notify").waiting == Waiting(due=1, oldest=NOW)
    assert stuck(queue, later) == {}
    assert stuck(queue, later + seconds(1)) == {"predict": {"": 1}}


def test_the_last_hour_is_counted_and_what_ended_before_is_not(queue):
    worked_off(queue, ["done"] * 7, at=NOW - timedelta(hours=2))
    worked_off(queue, ["done", "done", "late", DEAD])
    hour = of(status_of(queue, NOW + seconds(10)), "flag").hour

    assert (hour.taken, hour.passed_on, hour.failed, hour.ended_otherwise) == (4, 2, 1, 1)
    assert hour.seconds == Quartiles(2, 2, 2)
    assert hour.fails_too_often("flag")


def test_as_many_may_fail_as_the_limit_says():
    fifty = Worked({"done": 49, DEAD: 1})
    assert not fifty.fails_too_often("flag")
    assert Worked({"done": 48, DEAD: 1}).fails_too_often("flag")
    assert not Worked({"done": 19, DEAD: 1}).fails_too_often("notify")
    assert not Worked().fails_too_often("notify")


def test_the_total_time_is_counted_from_as_of_to_the_end_of_the_last_stage(queue):
    for place, minutes in enumerate((1, 2, 3, 4, 5)):
        as_of = NOW - timedelta(minutes=minutes)
        worked_off(queue, ["done"] * (place + 1), "notify", took=0, as_of=as_of)
    worked_off(queue, ["expired"] * 9, "notify", took=0, as_of=NOW - timedelta(days=1))

    lower, median, upper = status_of(queue, NOW).total
    # 1, 2 2, 3 3 3, 4 4 4 4, 5 5 5 5 5 minutes
    assert (lower, median, upper) == (180, 240, 300)


def test_a_month_is_counted_from_its_first_moment_to_its_last(queue):
    start, end = NOW.replace(day=1, hour=0), NOW.replace(month=2, day=1, hour=0)
    worked_off(queue, ["done"], at=start - seconds(2.5))
    worked_off(queue, ["done"] * 2, at=start - seconds(2))
    worked_off(queue, ["done"] * 3, at=end - seconds(2.5))
    worked_off(queue, ["done"] * 4, at=end - seconds(2))

    assert worked_in(queue, start, end)["flag"].taken == 5


def test_what_is_paused_is_said(queue):
    one, other = Pause("stage", "query", NOW, "ward", "why"), Pause("source", "main", NOW, "ward", "why")
    for wanted in (one, other):
        pause(queue.database, wanted)
    status = status_of(queue, NOW)
    for wanted in (one, other):
        resume(queue.database, wanted.kind, wanted.name)

    assert of(status, "query").paused == one
    assert of(status, "flag").paused is None
    assert status.paused_sources == (other,)


def test_what_subscriptions_announce_is_shown_where_there_is_any(queue):
    assert "resolve" not in worked_in(queue, NOW, NOW + seconds(60))
    worked_off(queue, ["done", DEAD], "resolve")

    assert worked_in(queue, NOW, NOW + seconds(60))["resolve"].failed == 1
    assert of(status_of(queue, NOW), "resolve").dead == 1
    assert set(FAILURES) == set(QUEUES)


def test_each_source_has_its_last_message(queue):
    for number, source in enumerate(("north", "south", "north")):
        queue.put([raw(number, source=source)._replace(received=NOW + seconds(number))])

    sources = status_of(queue, NOW).sources
    assert (sources["north"], sources["south"]) == (NOW + seconds(2), NOW + seconds(1))
