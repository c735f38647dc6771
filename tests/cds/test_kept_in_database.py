"""Tests what the door keeps in a real database: lock-outs decided once, cards without a patient, feedback, and time."""

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept
from tests.cds.store import HOUR, KEPT_FOR, MARK, PATIENT, Store, call, feedback
from tests.fixtures.icu import AS_OF

from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK, NOTIFICATION
from wardround.cds.door import Door
from wardround.cds.exchange import Heard
from wardround.cds.keeping import Keeping, StayKey, Told
from wardround.errors import DatabaseError
from wardround.results.alert_policy import Notification
from wardround.settings import database_in

STAYS = 30
DECIDING = f"""
import json, sys
from datetime import UTC, datetime, timedelta
from wardround.adapters.database.database import opened
from wardround.cds.exchange import Answer, Call
from wardround.cds.keeping import StayKey, Told
from wardround.cds.kept_in_database import keeping_in
from wardround.results.alert_policy import Notification
now, seen = datetime.now(UTC), []
def ask(card):
    call = Call(
        at=now, issuer="", service="s", hook="patient-view", as_of=now, condition="sepsis",
        model_version="1", patient_key="p", inputs_digest="", band="high", outcome="card", card=card,
    )
    def answer(last):
        seen.append(last and last.card)
        return Told(Answer(200, b"", call), None if last else Notification(now, now, "high"))
    return answer
with opened(sys.argv[1]) as database, keeping_in(database, timedelta(days=180), {PATIENT}) as keeping:
    print("ready", flush=True)
    sys.stdin.readline()
    for stay in range({STAYS}):
        keeping.told(StayKey(str(stay), "sepsis", "bedside"), ask(sys.argv[2] + "-" + str(stay)))
print(json.dumps(seen))
"""


def test_of_calls_at_once_at_several_workers_one_alerts_and_the_others_repeat_it(store, at) -> None:
    workers = [at(store.worker()) for _ in range(2)]
    together = Barrier(6)

    def ask(number: int) -> dict[str, Any]:
        together.wait()
        return workers[number % 2].card("p-a", after=timedelta(seconds=number))

    with ThreadPoolExecutor(6) as threads:
        cards = list(threads.map(ask, range(6)))

    (alert,) = (card for card in cards if card["indicator"] == "critical")
    repeated = [card["extension"]["com.wardround.risk"]["repeats"] for card in cards if card is not alert]
    assert repeated == [alert["uuid"]] * 5
    kept, last = store.rows(BEDSIDE_CARD, NOTIFICATION)
    assert {row["uuid"] for row in kept} == {card["uuid"] for card in cards}
    assert [(row["card"], row["band"]) for row in last] == [(alert["uuid"], "high")]


def test_processes_that_decide_at_once_alert_once_for_each_stay(store, tmp_path) -> None:
    with store.working():  # the tables are there
        pass
    command = [sys.executable, "-c", DECIDING, database_in(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, str(number)], **pipes) for number in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in processes]

    cards, last = store.rows(BEDSIDE_CARD, NOTIFICATION)

    assert len(cards) == 2 * STAYS
    assert len(last) == STAYS
    for stay, (one, other) in enumerate(zip(*told, strict=True)):
        # One has alerted, and the other was told by which card.
        assert sorted([one is None, other is None]) == [False, True], stay
    assert {row["card"] for row in last} == {card for cards in told for card in cards if card}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.sampled_from(["p-a", "p-mid"]), st.integers(0, 14)), min_size=1, max_size=6))
def test_any_calls_at_any_worker_are_told_as_the_policy_says(
    calls: list[tuple[str, int]], ehr: Ehr, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> None:
    by_rule = ehr.before(keeping_in(door, Kept()))
    with ExitStack() as stack:
        store = Store(database_in(tmp_path_factory.mktemp("store")), stack)
        workers = [ehr.before(replace(door, means=replace(door.means, keeping=store.worker()))) for _ in range(2)]
        for number, (patient, hours) in enumerate(calls):
            # The hours are in any order: calls overtake each other.
            expected = by_rule.card(patient, after=hours * HOUR)
            card = workers[number % 2].card(patient, after=hours * HOUR)
            assert (card["summary"], card["indicator"]) == (expected["summary"], expected["indicator"])


def test_a_card_is_kept_with_what_it_rests_on_and_without_a_patient(store, at, tmp_path) -> None:
    ehr = at(store.worker())

    card = ehr.card("p-a", after=HOUR)

    (row,), (last,) = store.rows(BEDSIDE_CARD, NOTIFICATION)
    assert (row["uuid"], row["band"], row["outcome"], row["issuer"]) == (card["uuid"], "high", "card", ehr.issuer)
    assert (row["service"], row["hook"], row["condition"]) == ("sepsis-risk", "patient-view", "sepsis")
    assert (row["at"], row["as_of"], last["at"], last["as_of"]) == (AS_OF + HOUR,) * 4
    assert len(row["patient_key"]) == len(row["inputs_digest"]) == len(last["stay"]) == 64
    content = b"".join(file.read_bytes() for file in tmp_path.glob("wardround.sqlite*"))
    assert card["uuid"].encode() in content
    # A random uuid may hold "e-a" by chance.
    content = content.replace(card["uuid"].encode(), b"")
    for private in (b"p-a", b"e-a", b"o-p-a"):
        assert private not in content


def test_an_answer_without_a_card_is_not_kept_and_an_info_card_is(store, at) -> None:
    ehr = at(store.worker())
    ehr.ask("p-low")
    ehr.icu.stay("none", lactate=None, vitals=False)
    card = ehr.card("p-none")

    kept, last = store.rows(BEDSIDE_CARD, NOTIFICATION)

    assert [(row["uuid"], row["outcome"]) for row in kept] == [(card["uuid"], "indeterminate")]
    assert last == []


def test_what_fails_between_decision_and_commit_leaves_nothing(store) -> None:
    keeping = store.worker()

    def broken(_last: Any) -> Told:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keeping.told(StayKey("k", "sepsis", "bedside"), broken)

    assert store.rows(BEDSIDE_CARD, NOTIFICATION) == [[], []]


def test_a_locked_database_costs_no_card_and_feedback_is_asked_for_again(store, at, tmp_path) -> None:
    expected = at(store.worker()).card("p-mid")["summary"]
    ehr = at(store.worker(within=0.2))

    with closing(sqlite3.connect(tmp_path / "wardround.sqlite", isolation_level=None)) as other:
        other.execute("begin immediate")
        answers = [ehr.send(ehr.call(patient), after=20 * HOUR) for patient in ("p-mid", "p-mid", "p-a")]
        entry = {"card": orjson.loads(answers[0].body)["cards"][0]["uuid"], "outcome": "overridden"}
        heard = ehr.send({"feedback": [{**entry, "outcomeTimestamp": AS_OF.isoformat()}]}, "sepsis-risk/feedback")

    assert [orjson.loads(answer.body)["cards"][0]["summary"] for answer in answers[:2]] == [expected] * 2
    for answer in answers:
        assert (answer.status, answer.call.kept, answer.call.outcome) == (200, False, "card")
        assert answer.fault.startswith("DatabaseError in ")
    assert (heard.status, heard.headers, heard.heard) == (503, {"Retry-After": "30"}, None)
    assert [len(rows) for rows in store.rows(BEDSIDE_CARD, NOTIFICATION, BEDSIDE_FEEDBACK)] == [1, 1, 0]


def test_a_database_that_hangs_is_given_up_and_what_comes_too_late_is_undone(store, at) -> None:
    go_on = Event()
    asked = call("uuid")

    def hanging(_last: Any) -> Told:
        go_on.wait()
        return Told(replace(at(Kept()).send(b""), call=asked), Notification(AS_OF, AS_OF, "high"))

    with store.working(within=0.2) as keeping:
        with pytest.raises(DatabaseError, match=r"no answer within 0\.2 s"):
            keeping.told(StayKey("k", "sepsis", "bedside"), hanging)
        with pytest.raises(DatabaseError, match="could not be used a moment ago"):
            keeping.kept(asked)
        go_on.set()

    assert store.rows(BEDSIDE_CARD, NOTIFICATION) == [[], []]


@pytest.fixture
def shown(store, at) -> tuple[Keeping, str]:
    """A worker, and the uuid of a card that it has shown."""
    keeping = store.worker()
    return keeping, str(at(keeping).card("p-a")["uuid"])


def test_feedback_is_joined_to_its_card_and_what_is_sent_again_is_kept_once(store, shown) -> None:
    keeping, card = shown
    set_aside = feedback(card, reason=("urn:wardround:override-reason", "assessed"))
    accepted = feedback(card, outcome="accepted", suggestions=("one", "two"), at=AS_OF + HOUR)

    assert keeping.heard([set_aside, accepted, set_aside], "sepsis", AS_OF) == Heard(3, 0)
    assert keeping.heard([accepted, feedback(card)], "sepsis", AS_OF + HOUR) == Heard(2, 0)

    (rows,) = store.rows(BEDSIDE_FEEDBACK)
    told = sorted((one["outcome"], one["reason_code"], one["suggestions"], one["at"]) for one in rows)
    assert told == [
        ("accepted", "", '["one", "two"]', AS_OF + HOUR),
        ("overridden", "", "[]", AS_OF),
        ("overridden", "assessed", "[]", AS_OF),
    ]
    assert {one["card"] for one in rows} == {card}


def test_feedback_on_an_unknown_card_is_kept_without_its_comment(store, shown) -> None:
    keeping, card = shown

    heard = keeping.heard([feedback("another", comment=MARK), feedback(card, comment="mine")], "sepsis", AS_OF)

    assert heard == Heard(known=1, unknown=1)
    rows, comments = store.rows(BEDSIDE_FEEDBACK, BEDSIDE_COMMENT)
    assert {one["card"] for one in rows} == {card, "another"}
    assert [one["comment"] for one in comments] == ["mine"]


def test_a_comment_lies_in_a_table_of_its_own_and_the_last_one_counts(store, shown) -> None:
    keeping, card = shown
    for comment in ("first", "", f"{MARK}\0"):
        keeping.heard([feedback(card, comment=comment)], "sepsis", AS_OF)

    (row,), (comment,) = store.rows(BEDSIDE_FEEDBACK, BEDSIDE_COMMENT)

    assert comment == {"feedback": row["id"], "comment": f"{MARK}\N{REPLACEMENT CHARACTER}"}
    assert MARK not in repr(row)


def test_what_is_older_than_the_setting_is_removed_in_passing_with_all_that_hangs_on_it(store, at) -> None:
    after = KEPT_FOR + HOUR
    with store.working() as keeping:
        old = at(keeping).card("p-a")["uuid"]
        later = AS_OF + KEPT_FOR - HOUR
        keeping.heard([feedback(old, comment="late", at=later), feedback("unknown", at=later)], "sepsis", later)
        keeping.heard([feedback("long unknown")], "sepsis", AS_OF)
    with store.working() as keeping:
        gone = {"service": "s", "as_of": AS_OF, "inputs_digest": "", "band": "", "outcome": "suspended"}
        keeping.kept(call("new", after, **gone))

    cards, rows, comments, last = store.rows(BEDSIDE_CARD, BEDSIDE_FEEDBACK, BEDSIDE_COMMENT, NOTIFICATION)
    assert [row["uuid"] for row in cards] == ["new"]
    assert [row["card"] for row in rows] == ["unknown"]
    assert (comments, last) == ([], [])


def test_what_is_younger_than_the_setting_stays(store, at) -> None:
    with store.working() as keeping:
        old = at(keeping).card("p-a")["uuid"]
        keeping.heard([feedback(old, comment="kept")], "sepsis", AS_OF)
        at(keeping).card("p-mid", after=13 * HOUR)
    assert [len(rows) for rows in store.rows(BEDSIDE_CARD, BEDSIDE_FEEDBACK, BEDSIDE_COMMENT, NOTIFICATION)] == [
        *(2, 1, 1, 2)
    ]


def test_times_of_any_offset_are_the_same_time(store, shown) -> None:
    keeping, card = shown
    keeping.heard([feedback(card), feedback(card, at=datetime(2026, 1, 2, 5, tzinfo=UTC))], "sepsis", AS_OF)
    keeping.heard([feedback(card, at=datetime.fromisoformat("2026-01-02T06:00:00+01:00"))], "sepsis", AS_OF)
    assert len(store.rows(BEDSIDE_FEEDBACK)[0]) == 1
