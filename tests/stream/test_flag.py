"""The stage `flag` on a real queue: states, requests and their ends are written with the message that made them."""

import json
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.adt.test_histories import messages
from tests.adt.ward import EVERY, FEED, NOON, OF_SICU, Stream, adt, at, merge, swap
from tests.stream.flagging import HOURS, LEASE, PSEUDONYMS, Flagging, following, source, ways

from wardround.adapters.database.visits import forget
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import Done
from wardround.adapters.queue.queue import Queue
from wardround.adt.census import census
from wardround.errors import SettingsError
from wardround.settings import settings_from
from wardround.spec.branches import Branch
from wardround.spec.loading import load_condition
from wardround.stream.bodies import Cancelled, admission_in, for_record
from wardround.stream.flag import watches_of
from wardround.stream.visit_keys import require_same_key


@pytest.fixture(scope="module")
def sepsis(schemas):
    return load_condition("sepsis", schemas)


@pytest.fixture
def flagging(queue: Queue, sepsis) -> Flagging:
    return Flagging(queue, ways(sepsis))


def test_an_admission_is_put_for_the_first_time_of_the_branch(flagging: Flagging) -> None:
    assert flagging.take(adt("A01", when=at("11:30")), received=NOON) == [("done", "")]
    (asked,) = flagging.queue.take("query", 10, LEASE, NOON)
    body = admission_in(asked.body)
    assert (body.visit.value, [one.value for one in body.patients]) == ("V1", ["P1"])
    assert (body.unit, body.visit_class, body.received, body.late_by) == ("MICU", "I", NOON, 1800)
    assert (asked.as_of, asked.branch, asked.source, asked.origin) == (NOON, EVERY, "main", flagging.seqs()[0])


def test_each_branch_is_asked_at_its_own_time(queue: Queue, sepsis) -> None:
    late = Branch(id="late", at=(timedelta(hours=1), timedelta(hours=6)))
    flagging = Flagging(queue, ways(sepsis, late, Branch(id="sicu", units=("SICU",), at=HOURS)))
    flagging.take(adt("A01", unit="SICU"))
    found = {one.branch: one.as_of for one in flagging.rows("query")}
    assert found == {"sepsis/late": NOON + timedelta(hours=1), OF_SICU: NOON}


def test_who_is_flagged_from_several_messages_of_one_transaction_is_flagged_once(flagging: Flagging) -> None:
    outcomes = flagging.take(adt("A04", when=at("08:00")), *(adt("A08", when=at("09:00")) for _ in range(40)))
    assert outcomes == [("done", "")] * 41
    assert len(flagging.rows()) == 1


def test_both_of_a_swap_are_asked_about(flagging: Flagging) -> None:
    """One message admits two: neither request may be taken for the other's repetition."""
    both = [adt("A02", number, "MICU", of=of, when=at("09:00")) for number, of in (("V1", "P1"), ("V2", "P2"))]
    flagging.take(swap(*both))
    assert len(flagging.rows("query")) == 2


def test_a_discharge_ends_what_is_not_scored_and_leaves_what_is(flagging: Flagging) -> None:
    flagging.take(adt("A01", "V1", when=at("08:00")), adt("A01", "V2", of="P2", when=at("08:00")))
    first, second = flagging.queue.take("query", 10, LEASE, NOON)
    flagging.queue.finish([Done(second, "done", outputs=(following(second, "predict"),))], NOON)
    (predicting,) = flagging.queue.take("predict", 10, LEASE, NOON)
    flagging.queue.finish([Done(predicting, "done", outputs=(following(predicting, "notify"),))], NOON)
    flagging.take(adt("A03", "V1", when=at("09:00")), adt("A03", "V2", of="P2", when=at("09:00")))
    assert [(one.stage, one.outcome) for one in flagging.rows()] == [
        ("query", "discharged"),
        ("query", "done"),
        ("predict", "done"),
        ("notify", None),
    ]
    # Whoever had taken it can no longer finish it.
    assert flagging.queue.finish([Done(first, "done", outputs=(following(first, "predict"),))], NOON) == [False]
    assert len(flagging.rows("predict")) == 1


@pytest.mark.parametrize("reached", ["nothing", "query", "predict", "notify"])
def test_a_cancelled_admission_takes_back_what_was_asked_wherever_it_is(flagging: Flagging, reached: str) -> None:
    flagging.take(adt("A01", when=at("08:00")))
    if reached in ("query", "predict", "notify"):
        flagging.passed_on("query", "predict")
    if reached in ("predict", "notify"):
        flagging.passed_on("predict", "notify")
    if reached == "notify":
        (written,) = flagging.queue.take("notify", 10, LEASE, NOON)
        flagging.queue.finish([Done(written, "done")], NOON)
    flagging.take(adt("A11", when=at("08:00"), recorded=at("08:10")))
    open_now = [one for one in flagging.rows() if one.outcome is None]
    assert [(one.stage, one.branch, one.origin) for one in open_now] == [("notify", EVERY, flagging.seqs()[0])]
    (retraction,) = flagging.queue.take("notify", 10, LEASE, NOON)
    assert for_record(retraction.body) == Cancelled(retraction.origin, NOON)
    ended = {"nothing": 1, "query": 1, "predict": 1, "notify": 0}[reached]
    assert [one.outcome for one in flagging.rows()].count("cancelled") == ended


def test_a_result_that_is_being_written_is_written_and_then_taken_back(flagging: Flagging) -> None:
    flagging.take(adt("A01", when=at("08:00")))
    flagging.passed_on("query", "predict")
    flagging.passed_on("predict", "notify")
    (writing,) = flagging.queue.take("notify", 10, LEASE, NOON)
    flagging.take(adt("A11", when=at("08:00"), recorded=at("08:10")))
    assert flagging.queue.take("notify", 10, LEASE, NOON) == []  # the retraction waits for it
    assert flagging.queue.finish([Done(writing, "done")], NOON) == [True]
    (retraction,) = flagging.queue.take("notify", 10, LEASE, NOON)
    assert for_record(retraction.body) == Cancelled(retraction.origin, NOON)


def test_an_admission_that_is_cancelled_in_the_same_transaction_is_asked_about_by_nobody(flagging: Flagging) -> None:
    flagging.take(adt("A01", when=at("08:00")), adt("A11", when=at("08:00"), recorded=at("08:10")))
    assert [(one.stage, one.outcome) for one in flagging.rows()] == [("query", "cancelled"), ("notify", None)]


def test_who_turns_out_to_be_somebody_else_is_asked_about_anew(flagging: Flagging) -> None:
    flagging.take(adt("A01", of="P1", when=at("08:00")), adt("A08", of="P2", when=at("09:00")))
    rows = flagging.rows()
    assert [(one.stage, one.outcome) for one in rows] == [("query", "cancelled"), ("query", None), ("notify", None)]
    (asked,) = flagging.queue.take("query", 10, LEASE, NOON)
    assert [one.value for one in admission_in(asked.body).patients] == ["P2"]


@pytest.mark.parametrize("outcome", ["done", "shadow"])
@pytest.mark.parametrize(("hours", "asked"), [(11, 1), (13, 2)])
def test_a_cancelled_discharge_asks_again_unless_there_is_a_score_within_the_lock_out(
    flagging: Flagging, outcome: str, hours: int, asked: int
) -> None:
    """The lock-out of sepsis is twelve hours."""
    flagging.take(adt("A01", when=at("08:00")))
    flagging.passed_on("query", "predict")
    flagging.passed_on("predict", "notify", outcome)
    flagging.take(adt("A03", when=at("09:00")))
    flagging.now = NOON + timedelta(hours=hours)
    back = adt("A13", when=at("09:00"), recorded=flagging.now)
    _, _, (became, reason) = flagging.take(back, received=flagging.now)
    assert (became, reason) == ("done", "" if asked == 2 else "scored_within_lock_out PV1-3")
    assert len(flagging.rows("query")) == asked


def test_an_admission_names_the_number_that_remains(flagging: Flagging) -> None:
    flagging.take(merge("P1", "P2"), merge("P2", "P3"), adt("A01", of="P1"))
    (asked,) = flagging.queue.take("query", 10, LEASE, NOON)
    assert [one.value for one in admission_in(asked.body).patients] == ["P3"]


def test_states_outlive_the_process(queue: Queue, sepsis) -> None:
    Flagging(queue, ways(sepsis)).take(adt("A01", when=at("08:00")), merge("P1", "P2"))
    after = Flagging(queue, ways(sepsis))
    after.put(adt("A02", unit="SICU", when=at("09:00")).replace(b"APP", b"APQ"))
    assert after.census() == [("MICU", "V1", "P2")]


def test_visits_of_two_sources_with_one_number_are_two_visits(queue: Queue, sepsis) -> None:
    flagging = Flagging(queue, ways(sepsis), {"north": source(), "south": source()})
    flagging.take(adt("A01", when=at("08:00")), source="north")
    flagging.take(adt("A01", unit="SICU", of="P9", when=at("07:00")), source="south")
    assert flagging.census("north") == [("MICU", "V1", "P1")]
    assert flagging.census("south") == [("SICU", "V1", "P9")]
    assert len(set(flagging.keys())) == len(flagging.rows("query")) == 2


def test_the_census_is_who_lies_in_a_watched_unit_now(flagging: Flagging) -> None:
    flagging.take(
        adt("A01", "V1", "MICU", when=at("08:00")),
        adt("A01", "V2", "WARD7", of="P2", when=at("08:00")),
        adt("A01", "V3", "SICU", of="P3", when=at("08:00"), visit_class="O"),
        adt("A08", "V4", "SICU", of="P4", when=at("08:00")),
        adt("A01", "V5", "MICU", of="P5", when=at("08:00")),
        adt("A03", "V5", of="P5", when=at("09:00")),
        adt("A01", "V6", "MICU", of="P6", when=at("08:00")),
        adt("A02", "V6", "WARD7", of="P6", when=at("09:00")),
        merge("P1", "P9"),
    )
    assert flagging.census() == [("MICU", "V1", "P9"), ("SICU", "V4", "P4")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"nothing of HL7", "no_header MSH"),
        (adt("A01", number=""), "no_visit_number PV1-19"),
        (adt("A01", of=""), "no_patient_number PID-3"),
        (adt("A01").replace(b"|2.5.1", b"|2.5.1||||||KLINGON"), "charset_unknown MSH-18"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_the_feed_goes_on(flagging, body: bytes, reason: str) -> None:
    assert flagging.take(adt("A08", "V2", of="P2"), body, adt("A01")) == [
        ("done", "first_seen_by_update PV1-19"),
        ("dead", reason),
        ("done", ""),
    ]


def test_a_source_that_the_settings_do_not_name_any_more_is_a_dead_letter(flagging: Flagging) -> None:
    assert flagging.take(adt("A01"), source="gone") == [("dead", "there is no source gone")]


def test_a_stage_that_is_killed_between_taking_and_finishing_flags_once(queue: Queue, sepsis) -> None:
    """What it took is taken again when its lease is over, and what it would still write is refused."""
    first, second = Flagging(queue, ways(sepsis)), Flagging(queue, ways(sepsis))
    first.put(adt("A01", when=at("08:00")), adt("A02", unit="SICU", when=at("09:00")), merge("P1", "P2"))
    taken = queue.take("flag", 32, LEASE, NOON, together=True)
    done = list(first.stage.handle(taken, NOON))
    second.now = NOON + 2 * LEASE
    assert second.take() == [("done", "")] * 3
    assert queue.finish(done, second.now) == [False] * 3
    assert (len(second.rows()), second.census()) == (1, [("SICU", "V1", "P2")])


def test_an_error_of_ours_is_one_dead_letter_and_those_around_it_are_flagged(flagging: Flagging, sepsis) -> None:
    class Broken(dict):
        def __getitem__(self, name):
            raise RuntimeError("whatever")

    flagging.stage._ways = Broken()
    outcomes = flagging.take(adt("A08", "V2", of="P2"), adt("A01"), adt("A08", "V3", of="P3"))
    assert [one for one, _ in outcomes] == ["done", "dead", "done"]
    assert outcomes[1][1].startswith("RuntimeError in ")
    assert flagging.census() == [("MICU", "V2", "P2"), ("MICU", "V3", "P3")]


def test_no_number_is_in_a_key_a_reason_or_anywhere_but_in_bodies(flagging: Flagging, caplog) -> None:
    marked = [adt(event, "CANARYV", of="CANARYP", when=at("09:00")) for event in ("A01", "A08", "A03", "A13")]
    flagging.take(*marked, merge("CANARYP", "CANARYQ"), adt("A99", "CANARYV"), b"MSH|^~\\&|CANARY", adt("CANARY"))
    with flagging.queue.database.reading() as connection:
        for table in ("stream_message", "stream_visit", "stream_alias"):
            rows = connection.exec_driver_sql(f"select * from {table}").mappings().all()
            assert rows, table
            shown = [{name: value for name, value in row.items() if name != "body"} for row in rows]
            assert "CANARY" not in json.dumps(shown, default=str)
    assert "CANARY" not in caplog.text


def test_two_installations_hash_differently_and_another_ones_key_is_noticed(queue: Queue, sepsis, tmp_path) -> None:
    installation = settings_from({"WARDROUND_VAR": str(tmp_path)})
    flagging = Flagging(queue, ways(sepsis))
    flagging.take(adt("A01"))
    require_same_key(queue, flagging.sources, PSEUDONYMS, installation.var)
    with pytest.raises(SettingsError, match=r"pseudonyms.key"):
        require_same_key(queue, flagging.sources, Pseudonyms(b"another key"), installation.var)


def test_visits_that_are_long_over_can_be_forgotten_and_those_that_go_on_cannot(flagging: Flagging) -> None:
    flagging.take(adt("A01", "V1", when=at("08:00")), adt("A01", "V2", of="P2", when=at("08:00")))
    flagging.take(adt("A03", "V2", of="P2", when=at("09:00")))
    with flagging.queue.database.writing() as connection:
        assert forget(connection, NOON) == 0
    flagging.take(merge("P7", "P8"), received=NOON)
    with flagging.queue.database.writing() as connection:
        assert forget(connection, NOON + timedelta(days=1)) >= 1
    assert flagging.census() == [("MICU", "V1", "P1")]
    assert len(flagging.keys()) == 1


def test_a_replay_of_the_same_messages_has_the_same_states_and_requests(queue: Queue, sepsis) -> None:
    messages = [
        adt("A01", "V1", when=at("08:00")),
        merge("P1", "P2"),
        adt("A02", "V1", "SICU", of="P2", when=at("09:00")),
        adt("A03", "V1", of="P2", when=at("09:30")),
        adt("A13", "V1", "SICU", of="P2", when=at("09:30"), recorded=at("09:40")),
    ]
    live = Flagging(queue, ways(sepsis))
    replay = Flagging(Queue(queue.database, f"replay of {queue.run}"), ways(sepsis))
    assert live.take(*messages) == replay.take(*messages)
    assert [row[:5] for row in live.rows()] == [row[:5] for row in replay.rows()]
    assert live.census() == replay.census() == [("SICU", "V1", "P2")]
    assert sorted(live.keys()) == sorted(replay.keys())


_RUNS = count()


# A failure is not made smaller: with a database for each attempt, that takes minutes.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(some=st.lists(messages(), min_size=50, max_size=90))
def test_what_is_kept_in_the_database_is_what_the_messages_say_one_by_one(database, sepsis, some: list[bytes]) -> None:
    """Whatever a transaction reads for 32 messages, each is judged as if all that was ever known had been at hand."""
    given_ways = ways(sepsis, Branch(id="every", at=HOURS), Branch(id="sicu", units=("SICU",), at=HOURS))
    kept, alone = Flagging(Queue(database, f"any {next(_RUNS)}"), given_ways), Stream(watches=watches_of(given_ways))
    kept.take(*some)
    alone.take(*some)
    outcomes = [(one.outcome, ", ".join(one.remarks)) for one in alone.changes]
    assert kept.outcomes() == outcomes
    assert len(kept.rows("query")) == sum(len(one.admissions) for one in alone.changes)
    numbers = [one.visit.number.value for one in census(alone.known, FEED)]
    assert [visit for _, visit, _ in kept.census()] == numbers
    assert [patient for _, _, patient in kept.census()] == [alone.patient(one) for one in numbers]
    states = {one.number: one for one in alone.known.visits.values() if one}
    assert len(kept.keys()) == len(states)
