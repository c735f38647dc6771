"""Tests that one patient can be erased from what the stream keeps, and that nothing else goes with it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from tests.adt.ward import adt, merge, swap
from tests.fixtures.icu import AS_OF
from tests.stream.feeding import queue_in, settings, settings_file
from tests.stream.hospital import FEED, MRN, VISIT, Hospital

from wardround.adapters.database.notifications import ToldOf, keep_told
from wardround.adapters.database.tables import (
    NOTIFICATION,
    STREAM_ALIAS,
    STREAM_BODY,
    STREAM_CORRECTION,
    STREAM_MESSAGE,
    STREAM_VISIT,
)
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue import dead_letters
from wardround.adapters.queue.message import Done
from wardround.adapters.queue.queue import Queue
from wardround.cli.main import wardround
from wardround.core.identifier import Identifier
from wardround.results.alert_policy import Notification
from wardround.settings import database_in, places_in_environment
from wardround.stream import flag
from wardround.stream.raw import raw
from wardround.stream.subscriptions.announced import announced
from wardround.stream.subscriptions.notification import Notified
from wardround.stream.visit_keys import told_key

HOUR = timedelta(hours=1)
BRANCHES = [{"id": "now", "at": ["0h", "1h"]}, {"id": "trial", "at": ["0h"], "mode": "shadow"}]
MARKS = (b"P-a", b"P-old", b"P-older", b"V-a", b"NAME-A", b"e-a")
"""What of the patient may stand in the database, in no other patient's messages."""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """The file that the command opens, too."""
    with queue_in(tmp_path) as one:
        yield one


def named(body: bytes, name: str) -> bytes:
    return body.replace(b"^^^HOSP^MR", b"^^^HOSP^MR||" + name.encode(), 1)


@pytest.fixture
def played(hospital_with: Callable[..., Hospital], tmp_path: Path) -> Hospital:
    """A hospital with two patients, a and b, both scored and with dead letters; a had two other numbers before."""
    hospital = hospital_with(BRANCHES)
    file = settings_file(tmp_path, settings(FEED, fhir=hospital.url, units=["MICU", "SICU"]))
    hospital.ward.stay("a", lactate=6.0)
    hospital.ward.stay("b", lactate=2.5)
    hospital.upload()
    hospital.settings = replace(hospital.settings, stream=file, database=database_in(tmp_path), var=tmp_path / "var")
    hospital.pseudonyms = Pseudonyms.in_folder(hospital.settings.var)  # those of the stage `flag`
    bodies = [
        named(adt("A01", "V-a", of="P-older", when=AS_OF), "NAME-A"),
        named(adt("A01", "V-b", of="P-b", when=AS_OF), "NAME-B"),
        merge("P-older", "P-old", when=AS_OF),
        merge("P-old", "P-a", when=AS_OF),
        named(adt("A08", "V-a", of="P-a", when=AS_OF), "NAME-A"),
        adt("A02", "V-a", of="", pid={3: "P-old^^^UNKNOWN^MR"}, when=AS_OF),  # of no known authority
        adt("A02", "V-b", of="", pid={3: "P-b^^^UNKNOWN^MR"}, when=AS_OF),
        adt("A08", "V-a", of="", when=AS_OF),  # names the visit alone
        b"MSH|^~\\&|A|B|C|D|20260102||ADT^A01|1|P|2.5|||||||ASCII\rPID|||P-a^^^HOSP^MR||M\xfcller\r",  # unreadable
        b"MSH|^~\\&|A|B|C|D|20260102||ADT^A01|1|P|2.5|||||||ASCII\rPID|||P-aa^^^HOSP^MR||M\xfcller\r",
    ]
    hospital.queue.put([raw(body, FEED, AS_OF + timedelta(minutes=place)) for place, body in enumerate(bodies)])
    with flag.opened(hospital.settings, hospital.queue) as stage:
        hospital.run(stage, after=HOUR)
    hospital.run(hospital.query, hospital.predict, hospital.notify, after=HOUR + timedelta(minutes=1))
    with hospital.queue.database.writing() as connection:
        for number in ("V-a", "V-b"):
            key = told_key(Identifier(VISIT, number), hospital.pseudonyms)
            told = ToldOf(key, "sepsis", "ward")
            keep_told(connection, told, Notification(AS_OF, AS_OF, "high"))
    for letter in dead_letters.dead_letters(hospital.queue):
        body = dead_letters.body_of(hospital.queue, letter.seq)
        assert body is not None
        by = dead_letters.Responsible("somebody", "wrong charset of P-aa" if b"P-aa" in body else "NAME-A called")
        dead_letters.retry(hospital.queue, [letter.seq], by, AS_OF + 2 * HOUR)
    with flag.opened(hospital.settings, hospital.queue) as stage:
        hospital.run(stage, after=2 * HOUR)
    return hospital


@pytest.fixture
def called(played: Hospital, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """called(*words) calls `wardround` for the hospital."""
    for name, value in places_in_environment(played.settings).items():
        monkeypatch.setenv(name, value)

    def call(*words: str, answer: str = "") -> Result:
        return CliRunner().invoke(wardround, list(words), input=answer)

    return call


@pytest.fixture
def erase(called: Callable[..., Result]) -> Callable[..., dict[str, Any]]:
    """erase(*numbers) erases the patient with these numbers, and returns what the command said."""

    def call(*numbers: str) -> dict[str, Any]:
        words = [word for one in numbers for word in ("--number", f"{MRN}|{one}")]
        done = called("database", "erase-patient", *words, "--yes", "--json")
        assert done.exit_code == 0, (done.output, done.exception)
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    return call


def bodies(queue: Queue) -> list[bytes]:
    with queue.database.reading() as connection:
        return list(connection.execute(select(STREAM_BODY.c.body)).scalars())


def count(queue: Queue, *tables: Any) -> list[int]:
    with queue.database.reading() as connection:
        return [len(connection.execute(select(one)).all()) for one in tables]


def accounts(queue: Queue) -> Counter[tuple[str, str | None, bool]]:
    """Returns stage, outcome and whether it was erased, of all messages."""
    asked = select(STREAM_MESSAGE.c.stage, STREAM_MESSAGE.c.outcome, STREAM_MESSAGE.c.reason == "erased")
    with queue.database.reading() as connection:
        return Counter((stage, outcome, bool(erased)) for stage, outcome, erased in connection.execute(asked))


@pytest.mark.parametrize("number", ["P-a", "P-old", "P-older"], ids=["now", "before", "at first"])
def test_by_any_of_the_numbers_all_of_the_patient_goes_and_nothing_of_another(
    played: Hospital, erase: Callable[..., dict[str, Any]], tmp_path: Path, number: str
) -> None:
    kept = [body for body in bodies(played.queue) if not any(mark in body.replace(b"P-aa", b"") for mark in MARKS)]
    messages = sum(accounts(played.queue).values())
    assert count(played.queue, STREAM_VISIT, STREAM_ALIAS, NOTIFICATION) == [2, 2, 2]

    said = erase(number)

    assert {name: said[name] for name in ("visits", "merged_numbers", "lock_outs")} == {
        "visits": 1,
        "merged_numbers": 2,
        "lock_outs": 1,
    }
    assert said["messages"] == messages - len(kept)
    assert sorted(bodies(played.queue)) == sorted(kept)
    assert any(b"NAME-B" in body for body in kept)
    assert count(played.queue, STREAM_VISIT, STREAM_ALIAS, NOTIFICATION) == [1, 0, 1]
    # Nothing is left in the file, or in what SQLite has written beside it.
    content = b"".join(file.read_bytes() for file in tmp_path.glob("wardround.sqlite*"))
    assert b"NAME-B" in content
    for mark in (b"P-old", b"P-older", b"V-a^", b"NAME-A"):
        assert mark not in content, mark


def test_accounts_stay_without_content_and_dead_letters_are_dealt_with(
    played: Hospital, erase: Callable[..., dict[str, Any]]
) -> None:
    before = accounts(played.queue)
    assert before["flag", "dead", False] == 2

    said = erase("P-a")

    after = accounts(played.queue)
    assert sum(after.values()) == sum(before.values())
    assert sum(number for (_, _, erased), number in after.items() if erased) == said["messages"]
    assert (after["flag", "dead", False], after["flag", "erased", True]) == (1, 1)
    assert after["predict", "done", True] == after["predict", "shadow", True] == 1
    left = dead_letters.dead_letters(played.queue)
    assert [one.has_body for one in left] == [True]
    with played.queue.database.reading() as connection:
        whys = sorted(connection.execute(select(STREAM_CORRECTION.c.why)).scalars())
    assert whys == ["erased", "wrong charset of P-aa"]


def test_a_message_that_is_sent_again_is_known_and_its_content_does_not_come_back(
    played: Hospital, erase: Callable[..., dict[str, Any]]
) -> None:
    erase("P-a")

    again = raw(named(adt("A01", "V-a", of="P-older", when=AS_OF), "NAME-A"), FEED, AS_OF + 3 * HOUR)

    assert played.queue.put([again]) == [False]
    assert not any(b"NAME-A" in body for body in bodies(played.queue))
    assert erase("P-a") == {**erase("P-a"), "messages": 0, "visits": 0, "merged_numbers": 0, "lock_outs": 0}


def test_who_has_taken_a_message_can_no_longer_finish_it(
    played: Hospital, erase: Callable[..., dict[str, Any]]
) -> None:
    late = [adt("A02", "V-a", "SICU", of="P-a", when=AS_OF), adt("A02", "V-b", "SICU", of="P-b", when=AS_OF)]
    played.queue.put([raw(body, FEED, AS_OF + 3 * HOUR) for body in late])
    with flag.opened(played.settings, played.queue) as stage:
        taken = played.queue.take("flag", 32, HOUR, AS_OF + 3 * HOUR, together=True)
        done = list(stage.handle(taken, AS_OF + 3 * HOUR))

        erase("P-a")

        assert played.queue.finish(done, AS_OF + 3 * HOUR) == [False, True]
    assert count(played.queue, STREAM_VISIT) == [1]
    assert played.queue.take("flag", 32, HOUR, AS_OF + 4 * HOUR, together=True) == []


def test_a_replay_says_that_messages_were_erased_and_compares_the_rest(
    played: Hospital, erase: Callable[..., dict[str, Any]], called: Callable[..., Result]
) -> None:
    asked = ["stream", "replay", "--from", "2026-01-02", "--to", "2026-01-03"]
    assert "erased with a patient" not in called(*asked).stdout
    erase("P-a")

    result = json.loads(called(*asked, "--json").stdout)

    flags = result["flags"]
    assert (flags["erased"], flags["gone"], flags["same"], flags["missing"], flags["new"]) == (7, 7, 2, 0, 0)
    for branch in ("sepsis/now", "sepsis/trial"):
        counts = result["branches"][branch]
        assert (counts["same"], counts["different"], counts["not stored"], counts["erased"]) == (1, 0, 0, 1)
    shown = called(*asked).stdout
    assert "7 of them were erased with a patient" in shown
    assert "not stored 0, erased 1" in shown


def test_a_message_about_two_patients_goes_with_either_and_the_others_request_is_not_missed(
    played: Hospital, erase: Callable[..., dict[str, Any]], called: Callable[..., Result]
) -> None:
    two = swap(
        adt("A02", "V-c", of="P-c", when=AS_OF + 3 * HOUR), adt("A02", "V-d", "SICU", of="P-d", when=AS_OF + 3 * HOUR)
    )
    played.queue.put([raw(two, FEED, AS_OF + 3 * HOUR)])
    with flag.opened(played.settings, played.queue) as stage:
        played.run(stage, after=3 * HOUR)

    said = erase("P-c")

    # The swap, and what it asked of each branch about this patient.
    assert (said["messages"], said["visits"]) == (3, 1)
    assert sum(b"P-d" in body for body in bodies(played.queue)) == 2
    flags = json.loads(called("stream", "replay", "--from", "2026-01-02", "--to", "2026-01-03", "--json").stdout)
    assert (flags["flags"]["erased"], flags["flags"]["missing"]) == (1, 0)


def test_what_subscriptions_announced_of_the_stay_goes_too(
    played: Hospital, erase: Callable[..., dict[str, Any]]
) -> None:
    with played.queue.database.reading() as connection:
        assert connection.execute(select(STREAM_VISIT)).first()
    mine, other = (announced(FEED, Notified((one,)), AS_OF) for one in ("e-a", "e-b"))
    played.queue.put([mine, other])
    played.queue.finish(
        [Done(one, "done") for one in played.queue.take("resolve", 9, HOUR, AS_OF)], AS_OF + timedelta(minutes=1)
    )

    erase("P-a")

    assert [body for body in bodies(played.queue) if b"encounters" in body] == [other.body]


def test_a_number_of_an_unknown_system_is_refused_without_being_repeated(called: Callable[..., Result]) -> None:
    for wrong in ("urn:other|SECRET-1", "SECRET-1", f"{MRN}|"):
        done = called("database", "erase-patient", "--number", wrong, "--yes")
        assert done.exit_code == 2
        assert f"expected one of: {MRN}|VALUE" in done.output
        assert "SECRET-1" not in done.output


def test_it_asks_and_no_changes_nothing(played: Hospital, called: Callable[..., Result]) -> None:
    before = bodies(played.queue)

    done = called("database", "erase-patient", "--number", f"{MRN}|P-a", answer="n\n")

    assert "Nothing was changed." in done.stderr
    assert bodies(played.queue) == before
