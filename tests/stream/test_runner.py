"""Tests that a stage at work loses nothing: what fails waits alone, and what stops the stage is nobody's fault."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import insert, select
from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.database.tables import STREAM_MESSAGE, STREAM_PAUSE
from wardround.adapters.queue.message import DEAD, LATER, Done, Message
from wardround.adapters.queue.pauses import Pause, pause, resume
from wardround.adapters.queue.queue import Queue
from wardround.errors import StorageError
from wardround.stream.metrics import Metrics
from wardround.stream.runner import MOST_LOST, POLL, Runner
from wardround.stream.stage import StageStopped
from wardround.stream.stage_metrics import StageMetrics


@dataclass
class Recorded:
    """A stage that remembers what it has handled, and does with each message what `become` says."""

    become: Callable[[Message], Done] = lambda message: Done(message, "done")
    most: int = 10
    together: bool = True
    name: str = "flag"
    delays: Sequence[timedelta] = (timedelta(seconds=5), timedelta(seconds=30))
    seen: list[list[str]] = field(default_factory=list)

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterable[Done]:  # noqa: ARG002
        self.seen.append([number(one) for one in taken])
        for one in taken:
            yield self.become(one)


def number(message: Message) -> str:
    return message.body.decode().removeprefix("body ")


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runner_of(queue: Queue, clock: Clock):
    def make(stage: Recorded) -> Runner:
        return Runner(stage, queue, StageMetrics(stage.name, Metrics()), clock)

    return make


def accounts(queue: Queue) -> dict[str, tuple]:
    """Returns outcome, reason and attempts of each message, by its number."""
    message = STREAM_MESSAGE.c
    asked = select(message.dedup, message.outcome, message.reason, message.attempts).where(message.run == queue.run)
    with queue.database.reading() as connection:
        return {row[0].removeprefix("digest "): tuple(row[1:]) for row in connection.execute(asked)}


def failing_at(*numbers: str) -> Callable[[Message], Done]:
    def become(message: Message) -> Done:
        if number(message) in numbers:
            raise ValueError(f"cannot read {message.body!r}")
        return Done(message, "done")

    return become


def test_messages_are_handled_together_and_in_order(queue, runner_of):
    queue.put([raw(one) for one in range(12)])
    stage = Recorded()
    runner = runner_of(stage)

    assert [runner.step(), runner.step(), runner.step()] == [10, 2, 0]
    assert stage.seen == [[str(one) for one in range(10)], ["10", "11"]]
    assert {outcome for outcome, *_ in accounts(queue).values()} == {"done"}


def test_after_an_error_the_right_message_is_blamed_and_its_key_waits(queue, runner_of, clock):
    queue.put([raw(1, "a"), raw(2, "b"), raw(3, "a"), raw(4, "b")])
    stage = Recorded(failing_at("2"))
    runner = runner_of(stage)

    runner.step()
    assert accounts(queue) == {
        "1": ("done", "", 1),
        "2": (None, "ValueError in become, line " + accounts(queue)["2"][1].split()[-1], 1),
        "3": ("done", "", 1),
        "4": (None, "", 0),
    }
    assert runner.step() == 0

    clock.passes(5)
    stage.become = failing_at()
    runner.step()
    assert stage.seen[-2:] == [["2"], ["4"]]
    assert accounts(queue)["4"] == ("done", "", 1)


def test_what_fails_again_and_again_becomes_a_dead_letter_without_any_value(queue, runner_of, clock):
    queue.put([raw(1), raw(2)])
    runner = runner_of(Recorded(failing_at("1")))
    for _ in range(2):
        runner.step()
        assert accounts(queue)["1"][0] is None
        assert runner.step() == 0
        clock.passes(30)
    runner.step()

    outcome, reason, attempts = accounts(queue)["1"]
    assert (outcome, attempts) == (DEAD, 3)
    assert reason.startswith("ValueError in become, line ")
    assert "body" not in reason
    runner.step()
    assert accounts(queue)["2"][0] == "done"


def test_a_message_of_which_nothing_was_said_has_failed(queue, runner_of):
    class Silent(Recorded):
        def handle(self, *_):
            return ()

    queue.put([raw(1)])
    runner_of(Silent(delays=())).step()
    assert accounts(queue)["1"][:2] == (DEAD, "LookupError in _handle, line " + accounts(queue)["1"][1].split()[-1])


def test_what_follows_a_message_that_waits_is_handled_again_after_it(queue, runner_of, clock):
    queue.put([raw(1), raw(2), raw(3, "other")])
    wait = NOW + timedelta(seconds=5)
    stage = Recorded(lambda one: Done(one, LATER, due=wait) if number(one) == "1" else Done(one, "done"))
    runner = runner_of(stage)
    runner.step()
    assert [accounts(queue)[one][0] for one in "123"] == [None, None, "done"]

    clock.passes(5)
    stage.become = lambda one: Done(one, "done")
    runner.step()
    assert stage.seen[-2:] == [["1"], ["2"]]


def test_a_stage_that_is_stopped_counts_no_attempt_and_goes_on_in_order(queue, runner_of):
    def stopped(message: Message) -> Done:
        if number(message) == "1":
            return Done(message, "done")
        raise StageStopped("the server is down")

    queue.put([raw(one) for one in range(1, 5)])
    stage = Recorded(stopped)
    runner = runner_of(stage)
    for _ in range(2 * MOST_LOST):
        with pytest.raises(StageStopped):
            runner.step()
    assert accounts(queue)["1"] == ("done", "", 1)
    assert {accounts(queue)[one] for one in "234"} == {(None, "", 0)}

    stage.become = lambda one: Done(one, "done")
    runner.step()
    assert stage.seen[-1] == ["2", "3", "4"]


def test_a_stage_that_is_stopped_waits_longer_each_time_and_half_a_minute_at_most(queue, runner_of):
    asked = [None, None, 7.0, None, None, None, 3_600.0]

    def stopped(_message: Message) -> Done:
        raise StageStopped("the server is down", asked.pop(0))

    queue.put([raw(1)])
    stage = Recorded(stopped)
    runner = runner_of(stage)
    waits = [0.0]
    while asked:
        waits.append(runner._waited(waits[-1]))
    assert waits[1:] == [1, 2, 7, 14, 28, 30, 30]

    stage.become = lambda one: Done(one, "done")
    assert runner._waited(30) == 0
    assert runner._waited(0) == POLL


def test_a_full_disk_stops_the_stage_and_counts_no_attempt(queue, runner_of):
    def full(_connection) -> None:
        raise StorageError("the disk is full")

    queue.put([raw(1)])
    stage = Recorded(lambda one: Done(one, "done", state=full))
    runner = runner_of(stage)
    for _ in range(2 * MOST_LOST):
        with pytest.raises(StorageError):
            runner.step()
    assert accounts(queue)["1"] == (None, "", 0)


def test_who_cannot_write_its_state_is_blamed_and_what_was_made_after_it_is_made_again(queue, runner_of, clock):
    def broken(connection) -> None:
        row = {"kind": "stage", "name": f"half {queue.run}", "since": NOW, "who": "", "why": ""}
        connection.execute(insert(STREAM_PAUSE), row)
        raise ValueError("this is not possible")

    queue.put([raw(1), raw(2), raw(3), raw(9, "other")])
    stage = Recorded(lambda one: Done(one, "done", state=broken if number(one) == "2" else None), delays=())
    runner = runner_of(stage)
    runner.step()

    assert [accounts(queue)[one][0] for one in "1239"] == ["done", DEAD, None, "done"]
    runner.step()
    assert stage.seen[-1] == ["3"]
    with queue.database.reading() as connection:
        assert f"half {queue.run}" not in connection.execute(select(STREAM_PAUSE.c.name)).scalars().all()


def test_what_a_killed_process_had_in_hand_is_handled_alone(queue, runner_of, clock):
    queue.put([raw(1), raw(2)])
    queue.take("flag", 10, timedelta(seconds=15), NOW, together=True)
    queue.put([raw(3), raw(4)])
    clock.passes(15)
    stage = Recorded()
    runner_of(stage).step()

    assert stage.seen == [["1"], ["2"], ["3", "4"]]


def test_a_message_that_ends_the_process_each_time_becomes_a_dead_letter(queue, runner_of, clock):
    queue.put([raw(1), raw(2)])
    for _ in range(MOST_LOST):
        queue.take("flag", 1, timedelta(seconds=15), clock(), together=True)
        clock.passes(15)
    stage = Recorded()
    runner = runner_of(stage)

    assert (runner.step(), runner.step()) == (1, 1)

    assert stage.seen == [["2"]]
    assert accounts(queue)["1"][:2] == (DEAD, "the process ended 10 times while it was handled")


def test_a_paused_stage_takes_nothing_until_it_is_resumed(queue, runner_of):
    name = f"stage of {queue.run}"
    queue.put([raw(1, stage=name)])
    pause(queue.database, Pause("stage", name, NOW, "ward", "maintenance"))
    assert runner_of(Recorded(name=name)).step() == 0

    resume(queue.database, "stage", name)
    assert runner_of(Recorded(name=name)).step() == 1


def test_a_runner_that_is_asked_to_stop_finishes_what_it_has_in_hand(queue, runner_of):
    began, stop = Event(), Event()

    def slow(message: Message) -> Done:
        began.set()
        stop.wait()
        return Done(message, "done")

    queue.put([raw(1)])
    thread = Thread(target=runner_of(Recorded(slow)).run, args=[stop])
    thread.start()
    began.wait()
    stop.set()
    thread.join()
    assert accounts(queue)["1"][0] == "done"


def test_what_is_released_is_taken_by_another_and_finished_once(queue, runner_of):
    began, go = Event(), Event()

    def stuck(message: Message) -> Done:
        began.set()
        go.wait()
        return Done(message, "too late")

    queue.put([raw(1)])
    runner = runner_of(Recorded(stuck))
    thread = Thread(target=runner.step)
    thread.start()
    began.wait()
    runner.release()
    other = Recorded()
    assert runner_of(other).step() == 1
    go.set()
    thread.join()

    assert accounts(queue)["1"][0] == "done"


def test_two_copies_of_a_stage_share_the_work_and_do_nothing_twice(queue, runner_of):
    queue.put([raw(one, f"key {one % 7}") for one in range(60)])
    stages = [Recorded(most=3, together=False) for _ in range(2)]
    runners = [runner_of(stage) for stage in stages]

    def work(runner: Runner) -> None:
        while runner.step() or any(outcome is None for outcome, *_ in accounts(queue).values()):
            pass

    threads = [Thread(target=work, args=[runner]) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    handled = [one for stage in stages for together in stage.seen for one in together]
    assert sorted(handled, key=int) == [str(one) for one in range(60)]
    for stage in stages:
        for key in range(7):
            mine = [int(one) for together in stage.seen for one in together if int(one) % 7 == key]
            assert mine == sorted(mine)
