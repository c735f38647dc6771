"""Tests that calls are worked at one after the other, and that none waits for another one's database or server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import orjson
import pytest
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds import turns as turns_module
from wardround.cds.exchange import Answer, Heard, Request
from wardround.cds.http.answered import Accounted, Waiting
from wardround.cds.http.audit import Asked, Audit
from wardround.cds.http.metrics import Metrics
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
    """A database that waits with the first card, and the first feedback."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self._held = held

    def told(self, *asked: Any) -> Answer:
        if not self._held.met.is_set():
            self._held.wait()
        return super().told(*asked)

    def heard(self, *given: Any) -> Heard:
        if not self._held.met.is_set():
            self._held.wait()
        return super().heard(*given)


Ask = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that must not wait for its turn fails a test, and is not merely late."""
    monkeypatch.setattr(turns_module, "PATIENCE", LONG)


def asking(ehr: Ehr, answer: Callable[[Request], Answer], folder: Path) -> Ask:
    """Returns what has a patient's call answered and recorded, as the service does it."""
    accounted = Accounted(answer, Audit(folder), Metrics(folder), None)

    def ask(patient: str, path: str = "", **changed: Any) -> Answer:
        body = changed if path else ehr.call(patient, **changed)
        request = Request("POST", f"/cds-services/sepsis-risk{path}", AS_OF, orjson.dumps(body))
        return accounted.answered(request, Asked(AS_OF, "call", "", 0), Waiting())[0]

    return ask


def test_while_a_call_waits_for_the_database_the_next_one_is_answered(ehr: Ehr, tmp_path: Path) -> None:
    held = Held()
    ask = asking(ehr, keeping_in(ehr.door, Slow(held)).answer, tmp_path)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, "p-a")
        assert held.met.wait(LONG)
        second = threads.submit(ask, "p-mid").result(LONG)
        held.let_go.set()
        assert [second.status, first.result(LONG).status] == [200, 200]


def test_while_feedback_waits_for_the_database_a_call_is_answered(ehr: Ehr, tmp_path: Path) -> None:
    held = Held()
    ask = asking(ehr, keeping_in(ehr.door, Slow(held)).answer, tmp_path)
    said = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": AS_OF.isoformat()}
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, "", "/feedback", feedback=[said])
        assert held.met.wait(LONG)
        second = threads.submit(ask, "p-mid").result(LONG)
        held.let_go.set()
        assert [second.status, first.result(LONG).status] == [200, 200]


def test_while_a_call_waits_for_its_server_the_next_one_is_answered(
    ehr: Ehr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = Held()

    @contextmanager
    def client_for(*_: Any) -> Iterator[None]:
        held.wait()
        raise KeyError("no server after all")
        yield

    monkeypatch.setattr(Servers, "why_not", lambda *_: None)
    monkeypatch.setattr(Servers, "client_for", client_for)
    sent = {key: value for key, value in ehr.prefetch("p-a").items() if key != "observations"}
    ask = asking(ehr, ehr.door.answer, tmp_path)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, "p-a", prefetch=sent)
        assert held.met.wait(LONG)
        second = threads.submit(ask, "p-mid").result(LONG)
        held.let_go.set()
        broken = first.result(LONG)
    assert (second.status, broken.status) == (200, 200)
    assert "KeyError" in broken.fault
    # Whatever went wrong, the turn has ended.
    assert ask("p-mid").status == 200


def test_a_call_that_never_ends_does_not_keep_the_others_from_being_answered(
    ehr: Ehr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(turns_module, "PATIENCE", 0.0)
    held = Held()

    def answer(request: Request) -> Answer:
        if not held.met.is_set():
            held.wait()
        return ehr.door.answer(request)

    ask = asking(ehr, answer, tmp_path)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, "p-a")
        assert held.met.wait(LONG)
        assert [threads.submit(ask, "p-mid").result(LONG).status for _ in range(2)] == [200, 200]
        held.let_go.set()
        assert first.result(LONG).status == 200


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
        done.result(LONG)

    assert said == ["first", "second", "first again"]


def test_a_turn_ends_whatever_is_raised_in_it() -> None:
    turns = Turns()
    for _ in range(2):
        with pytest.raises(KeyError), turns.taken() as turn, turn.interrupted():
            raise KeyError
        with pytest.raises(KeyError), turns.taken():
            raise KeyError
