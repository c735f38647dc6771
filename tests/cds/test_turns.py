"""Tests that calls are worked at one after the other, and that none waits for another one's database or server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import orjson
import pytest
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Request
from wardround.cds.reading import Reader
from wardround.cds.servers import Servers
from wardround.cds.turns import Turns

LONG = 60.0  # a second of it passes only if the test fails


class Held:
    """Something that a call waits for, until it is let go."""

    def __init__(self) -> None:
        self.met, self.let_go = Event(), Event()

    def wait(self) -> None:
        self.met.set()
        assert self.let_go.wait(LONG)


class Slow(Kept):
    """A database that waits with the first card."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self._held = held

    def told(self, *asked: Any) -> Answer:
        if not self._held.met.is_set():
            self._held.wait()
        return super().told(*asked)


def asked(ehr: Ehr, door: Door, patient: str, **changed: Any) -> Answer:
    body = orjson.dumps(ehr.call(patient, **changed))
    return door.answer(Request("POST", "/cds-services/sepsis-risk", AS_OF, body))


def test_while_a_call_waits_for_the_database_the_next_one_is_answered(ehr: Ehr) -> None:
    held = Held()
    door = keeping_in(ehr.door, Slow(held))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(asked, ehr, door, "p-a")
        assert held.met.wait(LONG)
        second = threads.submit(asked, ehr, door, "p-mid").result(LONG)
        held.let_go.set()
        assert [second.status, first.result(LONG).status] == [200, 200]


def test_while_a_call_waits_for_its_server_the_next_one_is_answered(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held()

    @contextmanager
    def client_for(*_: Any) -> Iterator[None]:
        held.wait()
        raise KeyError("no server after all")
        yield

    monkeypatch.setattr(Servers, "why_not", lambda *_: None)
    monkeypatch.setattr(Servers, "client_for", client_for)
    sent = {key: value for key, value in ehr.prefetch("p-a").items() if key != "observations"}
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(asked, ehr, ehr.door, "p-a", prefetch=sent)
        assert held.met.wait(LONG)
        second = threads.submit(asked, ehr, ehr.door, "p-mid").result(LONG)
        held.let_go.set()
        broken = first.result(LONG)
    assert (second.status, broken.status) == (200, 200)
    assert "KeyError" in broken.fault
    # Whatever went wrong, the turn has ended.
    assert asked(ehr, ehr.door, "p-mid").status == 200


def test_a_call_that_nobody_waits_for_when_its_turn_comes_is_not_worked_at(
    ehr: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "read", lambda *_: pytest.fail("it was read"))
    body = orjson.dumps(ehr.call("p-a"))
    late = Request("POST", "/cds-services/sepsis-risk", AS_OF, body, given_up=lambda: True)

    answer = ehr.door.answer(late)

    assert answer.call is not None
    assert (answer.status, answer.call.outcome, bool(answer.call.patient_key)) == (503, "given_up", True)


def test_turns_are_taken_one_after_the_other_and_given_away_only_while_interrupted() -> None:
    turns, said, waiting, other = Turns(), [], Event(), Event()

    def second() -> None:
        waiting.set()
        with turns.taken():
            said.append("second")
        other.set()

    with ThreadPoolExecutor(1) as threads:
        with turns.taken() as turn:
            done = threads.submit(second)
            assert waiting.wait(LONG)
            said.append("first")
            with turn.interrupted():
                assert other.wait(LONG)
            said.append("first again")
            turn.end()
            turn.end()  # as the block does
            threads.submit(second).result(LONG)
        done.result(LONG)

    assert said == ["first", "second", "first again", "second"]


def test_a_turn_ends_whatever_is_raised_in_it() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.taken() as turn, turn.interrupted():
        raise KeyError
    with pytest.raises(KeyError), turns.taken():
        raise KeyError

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: turns.taken().__enter__().end()).result(LONG) is None
