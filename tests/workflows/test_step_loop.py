"""The steps of a run: which are run, what is reported, and how a failed one ends."""

from threading import Event

import pytest

from wardround.workflows.step_loop import Steps


class Told(list[tuple[str, int, int]]):
    """Progress as it was reported."""

    def __call__(self, step: str, done: int, total: int, /) -> None:
        self.append((step, done, total))


def test_a_step_that_is_done_is_neither_run_nor_reported() -> None:
    told, ran = Told(), list[str]()
    steps = Steps(told)
    steps.unless(True, "find_stays", lambda: ran.append("find_stays"))
    steps.unless(False, "load", lambda: ran.append("load"))
    assert ran == ["load"]
    assert told == [("load", 0, 1), ("load", 1, 1)]


def test_a_step_that_cannot_be_left_out_hands_on_its_result() -> None:
    told = Told()
    assert Steps(told).run("reconcile", lambda: "summary") == "summary"
    assert told == [("reconcile", 0, 1), ("reconcile", 1, 1)]


def test_a_step_that_fails_is_not_reported_as_done() -> None:
    told = Told()
    with pytest.raises(ZeroDivisionError):
        Steps(told).run("report", lambda: 1 // 0)
    assert told == [("report", 0, 1)]


@pytest.mark.parametrize("at_once", [True, False])
def test_parts_that_are_done_are_not_run_and_count_as_done(at_once: bool) -> None:
    told, ran, parts = Told(), list[int](), [1, 2, 3, 4]
    steps, done = Steps(told), {1, 3}.__contains__
    if at_once:
        steps.at_once("extract", parts, len(parts), ran.append, 2, done)
    else:
        steps.each("extract", parts, ran.append, done)
    assert sorted(ran) == [2, 4]
    assert told == [("extract", number, 4) for number in range(5)]


def test_a_part_is_worked_on_when_it_is_requested() -> None:
    ran = list[int]()
    scored = Steps(Told()).as_requested("score", [1, 2], ran.append)
    assert (next(scored), ran) == (1, [1])
    assert (list(scored), ran) == ([2], [1, 2])


def test_the_first_error_ends_the_step_after_the_parts_under_way_and_begins_no_other() -> None:
    told, ended, begun = Told(), list[int](), Event()

    def work(part: int) -> None:
        if part == 1:
            # The other thread is at work by then, and goes on until this one has failed.
            assert begun.wait(60)
            raise ValueError("of part 1")
        begun.set()
        ended.append(part)

    with pytest.raises(ValueError, match="of part 1"):
        Steps(told).at_once("publish", coming(work_begun=begun), 100, work, 2)
    assert ended
    assert 1 not in ended
    assert told[-1][1] == len(ended)


def coming(work_begun: Event):
    """Parts that come for as long as nobody has failed: only the first error can end them."""
    yield 1
    yield 2
    assert work_begun.wait(60)
    number = 3
    while True:
        yield number
        number += 1


def test_an_interruption_ends_the_waiting_of_the_parts_under_way() -> None:
    waiting, ended = Event(), Event()

    def interrupted():
        yield 1
        assert waiting.wait(60)
        raise KeyboardInterrupt

    def work(_part: int) -> None:
        waiting.set()
        assert ended.wait(60), "nobody ended the waiting"

    with pytest.raises(KeyboardInterrupt):
        Steps(Told(), ended.set).at_once("extract", interrupted(), 2, work, 2)
