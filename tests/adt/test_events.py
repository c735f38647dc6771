"""Every event: what it does to a visit, who is newly admitted, whose request is over."""

import re
from datetime import timedelta

import pytest
from tests.adt.ward import EVERY, FEED, NOON, OF_SICU, WATCHES, Stream, adt, at, ended, flagged, patient, swap, visit

from wardround.adt.admissions import Watch
from wardround.adt.effects import EFFECTS, Effect
from wardround.adt.visit import Location
from wardround.settings import PROJECT
from wardround.spec.branches import Branch

WITH_SICU = WATCHES | {OF_SICU: Watch(Branch(id="sicu", units=("SICU",)), timedelta(hours=12))}


@pytest.mark.parametrize("event", ["A01", "A02", "A04", "A06", "A07", "A13"])
def test_who_comes_to_a_watched_unit_is_newly_admitted_whatever_the_event(event: str) -> None:
    ward = Stream()
    change = ward.take(adt(event))
    assert (change.outcome, flagged(change), ward.lies()) == ("done", [EVERY], ("MICU", True))
    (admission,) = change.admissions
    assert (admission.visit.number, admission.visit.patient) == (visit("V1"), patient("P1"))


@pytest.mark.parametrize("event", ["A01", "A02", "A04", "A06", "A07", "A08", "A13", "A17"])
def test_who_lies_there_already_is_not(event: str) -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    assert flagged(ward.take(adt(event, "V1", "SICU", when=at("09:00")))) == []
    assert ward.lies() == ("SICU", True)


@pytest.mark.parametrize(("unit", "visit_class"), [("WARD7", "I"), ("MICU", "O"), ("MICU", ""), ("", "I")])
def test_another_unit_or_class_is_known_and_not_flagged(unit: str, visit_class: str) -> None:
    ward = Stream()
    change = ward.take(adt("A01", unit=unit, visit_class=visit_class))
    assert (change.outcome, flagged(change), ward.lies()) == ("done", [], (unit, True))


def test_a_change_of_class_admits() -> None:
    ward = Stream()
    ward.take(adt("A04", visit_class="O", when=at("08:00")))
    assert flagged(ward.take(adt("A06", when=at("09:00")))) == [EVERY]


def test_a_class_that_no_message_says_stays_as_it_was() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")))
    assert flagged(ward.take(adt("A02", visit_class="", when=at("09:00")))) == [EVERY]


def test_a_unit_that_no_message_says_stays_as_it_was_and_hl7s_null_is_nowhere() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A02", unit="", when=at("09:00")))
    assert (ward.lies(), change.remarks) == (("MICU", True), ("no_unit PV1-3",))
    ward.take(adt("A02", when=at("10:00"), pv1={3: '""'}))
    assert ward.lies() == ("", True)


def test_units_of_one_name_are_told_apart_by_their_facility() -> None:
    ward = Stream(FEED.__class__(**vars(FEED) | {"watched": ("MICU^^^NORTH",)}))
    assert flagged(ward.take(adt("A01", facility="SOUTH"))) == []
    assert flagged(ward.take(adt("A01", "V2", of="P2", facility="NORTH"))) == [EVERY]


@pytest.mark.parametrize("event", ["A02", "A06", "A07", "A12"])
def test_the_prior_unit_stands_in_for_a_visit_that_went_on_before_and_is_not_known(event: str) -> None:
    assert flagged(Stream().take(adt(event, unit="SICU", prior="MICU"))) == []
    assert flagged(Stream().take(adt(event, unit="SICU", prior="WARD7"))) == [EVERY]


@pytest.mark.parametrize("event", ["A01", "A04", "A13"])
def test_it_does_not_for_a_visit_that_begins(event: str) -> None:
    assert flagged(Stream().take(adt(event, unit="SICU", prior="MICU"))) == [EVERY]


def test_a_prior_unit_that_is_not_the_known_one_is_counted_and_the_known_one_counts() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A02", unit="SICU", prior="WARD7", when=at("09:00")))
    assert (flagged(change), change.remarks) == ([], ("other_prior_unit PV1-6",))


@pytest.mark.parametrize("event", sorted(one for one, effect in EFFECTS.items() if effect is Effect.NONE))
def test_pending_tracking_leave_and_person_events_change_nothing(event: str) -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")))
    change = ward.take(adt(event, when=at("09:00")))
    assert (change.outcome, change.visits, change.aliases, change.remarks) == ("ignored", {}, {}, ())


def test_every_event_of_the_notes_table_has_its_effect() -> None:
    none = "A05 A14 A15 A16 A25 A26 A27 A09 A10 A21 A22 A28 A29 A31 A60"
    table = {
        "A01 A04 A02 A06 A07 A17": Effect.PLACES,
        "A08": Effect.CORRECTS,
        "A03": Effect.CLOSES,
        "A11": Effect.CANCELS_ADMISSION,
        "A12": Effect.CANCELS_TRANSFER,
        "A13": Effect.CANCELS_DISCHARGE,
        "A18 A34 A40 A47": Effect.MERGES_PATIENTS,
        "A35 A41 A42 A45 A50": Effect.RENAMES_VISIT,
        none: Effect.NONE,
    }
    assert {event: effect for events, effect in table.items() for event in events.split()}.items() <= EFFECTS.items()


def test_the_document_names_every_event_with_its_effect() -> None:
    """docs/stream.md has the table that people read."""
    section = (PROJECT / "docs" / "stream.md").read_text().partition("## What is flagged")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if re.match(r"\| A\d\d", line)]
    named = {event for row in rows for event in re.findall(r"A\d\d", row)}
    for first, last in re.findall(r"A(\d\d) to A(\d\d)", " ".join(rows)):
        named |= {f"A{number:02}" for number in range(int(first), int(last) + 1)}
    assert named == set(EFFECTS)


@pytest.mark.parametrize("text", ["ADT^A99", "ORU^R01", "ADT"])
def test_another_event_or_message_changes_nothing_and_is_counted(text: str) -> None:
    ward = Stream()
    body = adt("A01").replace(b"ADT^A01", text.encode()).replace(b"EVN|A01", b"EVN|")
    assert (ward.take(body).outcome, ward.changes[0].remarks, ward.lies()) == (
        "ignored",
        ("event_unknown MSH-9",),
        None,
    )


def test_the_event_is_that_of_msh_9() -> None:
    ward = Stream()
    ward.take(adt("A03").replace(b"EVN|A03", b"EVN|A01"))
    assert ward.lies() == ("MICU", False)


def test_a_first_update_is_recorded_and_not_flagged() -> None:
    ward = Stream()
    change = ward.take(adt("A08", when=at("08:00")))
    assert (flagged(change), ward.lies(), change.remarks) == ([], ("MICU", True), ("first_seen_by_update PV1-19",))
    assert flagged(ward.take(adt("A02", unit="SICU", when=at("09:00")))) == []


def test_a_first_update_flags_where_the_feed_says_so() -> None:
    feed = FEED.__class__(**vars(FEED) | {"flag_first_seen": True})
    assert flagged(Stream(feed).take(adt("A08"))) == [EVERY]


def test_a_first_update_of_a_visit_that_is_over_is_recorded_as_over() -> None:
    feed = FEED.__class__(**vars(FEED) | {"flag_first_seen": True})
    ward = Stream(feed)
    assert flagged(ward.take(adt("A08", pv1={45: "20260115080000"}))) == []
    assert ward.lies() == ("MICU", False)


def test_an_update_corrects_unit_and_class_and_moves_patients_of_systems_that_send_nothing_else() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")))
    assert flagged(ward.take(adt("A08", when=at("09:00")))) == [EVERY]
    assert ward.lies() == ("MICU", True)


def test_an_update_opens_no_visit_that_is_over() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")), adt("A03", when=at("09:00")))
    change = ward.take(adt("A08", unit="SICU", when=at("10:00")))
    assert (flagged(change), ward.lies()) == ([], ("SICU", False))


def test_an_update_that_changes_nothing_keeps_no_later_entered_transfer_out() -> None:
    """Nurses enter a transfer minutes after it happened, while updates keep coming."""
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")), adt("A08", unit="WARD7", when=at("09:00")))
    change = ward.take(adt("A02", when=at("08:50"), recorded=at("09:05")))
    assert (flagged(change), ward.lies()) == ([EVERY], ("MICU", True))


def test_a_discharge_closes_and_ends_what_is_not_scored() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A03", when=at("09:00")))
    assert (ended(change), ward.lies()) == ([(EVERY, "discharged", False)], ("MICU", False))


def test_leaving_the_watched_units_ends_what_is_not_scored_and_coming_back_admits_again() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    assert ended(ward.take(adt("A02", unit="WARD7", when=at("09:00")))) == [(EVERY, "discharged", False)]
    assert flagged(ward.take(adt("A02", when=at("10:00")))) == [EVERY]


def test_a_cancelled_admission_closes_and_takes_everything_back() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A11", when=at("08:00"), recorded=at("08:10")))
    assert (ended(change), ward.lies()) == ([(EVERY, "cancelled", True)], ("MICU", False))


def test_the_admission_that_was_cancelled_does_not_come_back_and_the_right_one_does() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")), adt("A11", when=at("08:00"), recorded=at("08:10")))
    repeated = adt("A01", when=at("08:00"), recorded=at("08:01"))
    assert (ward.take(repeated).outcome, ward.lies()) == ("late", ("MICU", False))
    right = adt("A01", unit="SICU", when=at("07:50"), recorded=at("08:12"))
    assert (flagged(ward.take(right)), ward.lies()) == ([EVERY], ("SICU", True))


def test_an_admission_that_comes_after_its_cancellation_is_late() -> None:
    ward = Stream()
    ward.take(adt("A11", when=at("08:00"), recorded=at("08:10")))
    change = ward.take(adt("A01", when=at("08:00"), recorded=at("08:01")))
    assert (change.outcome, flagged(change), ward.lies()) == ("late", [], ("MICU", False))


def test_a_cancelled_transfer_takes_back_what_the_transfer_asked_for() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")), adt("A02", when=at("09:00")))
    change = ward.take(adt("A12", unit="WARD7", when=at("09:00"), recorded=at("09:10")))
    assert (ended(change), ward.lies()) == ([(EVERY, "cancelled", True)], ("WARD7", True))


def test_a_cancelled_transfer_leaves_what_the_admission_asked_for() -> None:
    ward = Stream(watches=WITH_SICU)
    ward.take(adt("A01", when=at("08:00")), adt("A02", unit="SICU", when=at("09:00")))
    assert [flagged(one) for one in ward.changes] == [[EVERY], [OF_SICU]]
    change = ward.take(adt("A12", when=at("09:00"), recorded=at("09:10")))
    assert (ended(change), ward.lies()) == ([(OF_SICU, "cancelled", True)], ("MICU", True))


def test_the_right_transfer_after_a_cancelled_one_counts_although_it_happened_before_the_cancellation() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")), adt("A02", when=at("09:00")))
    ward.take(adt("A12", unit="WARD7", when=at("09:00"), recorded=at("09:10")))
    change = ward.take(adt("A02", unit="SICU", when=at("08:55"), recorded=at("09:12")))
    assert (flagged(change), ward.lies()) == ([EVERY], ("SICU", True))


def test_a_cancellation_that_is_older_than_what_is_known_is_late() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")), adt("A02", unit="SICU", when=at("10:00")))
    change = ward.take(adt("A12", unit="WARD7", when=at("08:00"), recorded=at("08:10")))
    assert (change.outcome, ward.lies()) == ("late", ("SICU", True))


def test_a_cancellation_counts_by_when_it_was_entered_whenever_what_it_cancels_happened() -> None:
    ward = Stream()
    ward.take(
        adt("A01", unit="WARD7", when=at("08:00")),
        adt("A02", when=at("09:00")),
        adt("A08", "V1", "SICU", when=at("09:30")),
    )
    change = ward.take(adt("A12", unit="WARD7", when=at("09:00"), recorded=at("09:40")))
    assert (change.outcome, ward.lies()) == ("done", ("WARD7", True))


def test_what_was_entered_at_the_time_of_a_cancellation_counts() -> None:
    ward = Stream()
    ward.take(
        adt("A01", unit="WARD7", when=at("08:00")), adt("A12", unit="WARD7", when=at("08:00"), recorded=at("08:10"))
    )
    assert ward.take(adt("A02", when=at("08:05"), recorded=at("08:10"))).outcome == "done"


def test_after_the_event_that_follows_a_cancellation_late_is_late_again() -> None:
    ward = Stream()
    ward.take(
        adt("A01", unit="WARD7", when=at("08:00")), adt("A12", unit="WARD7", when=at("08:00"), recorded=at("09:10"))
    )
    assert ward.known.visits[visit("V1")].event_time == at("08:00")
    ward.take(adt("A02", when=at("09:20")))
    change = ward.take(adt("A02", unit="SICU", when=at("09:00"), recorded=at("09:25")))
    assert (change.outcome, ward.lies()) == ("late", ("MICU", True))


def test_a_transfer_that_was_planned_ahead_can_be_cancelled_before_it_happens() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")))
    ward.take(adt("A02", when=at("13:00"), recorded=at("11:00")))
    ward.take(adt("A12", unit="WARD7", when=at("13:00"), recorded=at("11:30")))
    assert ward.lies() == ("WARD7", True)


def test_a_cancelled_discharge_opens_and_asks_again() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")), adt("A03", when=at("09:00")))
    change = ward.take(adt("A13", when=at("09:00"), recorded=at("09:10")))
    assert (flagged(change), ward.lies()) == ([EVERY], ("MICU", True))


@pytest.mark.parametrize(("hours", "asked"), [(11, []), (12, [EVERY]), (13, [EVERY])])
def test_who_comes_back_is_not_asked_about_again_within_the_lock_out_after_a_score(hours: int, asked: list) -> None:
    ward = Stream(scores={(1, EVERY): NOON - timedelta(hours=hours)})
    ward.take(adt("A01", when=at("08:00")), adt("A03", when=at("09:00")))
    change = ward.take(adt("A13", when=at("09:00"), recorded=at("09:10")))
    assert (flagged(change), ward.lies()) == (asked, ("MICU", True))
    assert change.remarks == (() if asked else ("scored_within_lock_out PV1-3",))


def test_a_swap_moves_both() -> None:
    ward = Stream()
    ward.take(adt("A01", "V1", "WARD7", when=at("08:00")), adt("A01", "V2", of="P2", when=at("08:00")))
    change = ward.take(
        swap(adt("A02", "V1", "MICU", when=at("09:00")), adt("A02", "V2", "WARD7", of="P2", when=at("09:00")))
    )
    assert (ward.lies("V1"), ward.lies("V2")) == (("MICU", True), ("WARD7", True))
    assert (flagged(change), ended(change)) == ([EVERY], [(EVERY, "discharged", False)])
    assert [one.visit.number for one in change.admissions] == [visit("V1")]


def test_a_swap_of_a_visit_with_itself_is_a_dead_letter() -> None:
    change = Stream().take(swap(adt("A02", "V1", "MICU"), adt("A02", "V1", "WARD7")))
    assert (change.outcome, change.remarks, change.admissions) == ("dead", ("visit_named_twice PV1-19",), ())


def test_an_older_message_changes_nothing_and_one_of_the_same_time_does() -> None:
    ward = Stream()
    ward.take(adt("A02", unit="SICU", when=at("10:00")))
    for event in ("A01", "A02", "A03", "A08"):
        change = ward.take(adt(event, unit="WARD7", when=at("09:59")))
        assert (change.outcome, change.visits, flagged(change)) == ("late", {}, []), event
    assert ward.lies() == ("SICU", True)
    ward.take(adt("A02", unit="WARD7", when=at("10:00")))
    assert ward.lies() == ("WARD7", True)


def test_a_message_that_is_repeated_admits_nobody_twice() -> None:
    ward = Stream()
    assert [flagged(ward.take(adt("A01"))) for _ in range(3)] == [[EVERY], [], []]


def test_what_is_out_of_range_is_ordered_by_its_receipt() -> None:
    ward = Stream()
    ward.take(adt("A01", when="19890818112600+0215"))
    assert ward.changes[0].remarks == ("time_out_of_range EVN-6",)
    assert ward.known.visits[visit("V1")].event_time == NOON


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"number": ""}, "no_visit_number PV1-19"),
        ({"pv1": {19: "V1^^^ELSEWHERE"}}, "no_visit_number PV1-19"),
        ({"of": ""}, "no_patient_number PID-3"),
        ({"pid": {3: "4711^^^NOWHERE^MR"}}, "no_patient_number PID-3"),
    ],
)
@pytest.mark.parametrize("event", ["A01", "A02", "A03", "A08", "A11", "A12", "A13"])
def test_a_message_that_names_nobody_is_a_dead_letter_with_rule_and_place(event, fields, remark: str) -> None:
    change = Stream().take(adt(event, **fields))
    assert (change.outcome, change.remarks, change.visits) == ("dead", (remark,), {})


def test_a_known_visit_can_be_closed_by_a_message_without_the_patients_number() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    assert ward.take(adt("A03", of="", when=at("09:00"))).remarks == ("no_patient_number PID-3",)
    assert (ward.lies(), ward.patient()) == (("MICU", False), "P1")


def test_branches_are_asked_each_by_its_own_units() -> None:
    ward = Stream(watches=WITH_SICU)
    assert flagged(ward.take(adt("A01", when=at("08:00")))) == [EVERY]
    assert flagged(ward.take(adt("A02", unit="SICU", when=at("09:00")))) == [OF_SICU]
    assert ended(ward.take(adt("A02", when=at("10:00")))) == [(OF_SICU, "discharged", False)]


def test_a_branch_that_names_a_unit_which_the_feed_does_not_watch_is_not_asked() -> None:
    watches = {"sepsis/ward": Watch(Branch(id="ward", units=("WARD7",)), timedelta(hours=12))}
    assert flagged(Stream(watches=watches).take(adt("A01", unit="WARD7"))) == []


def test_a_location_is_its_unit_and_facility() -> None:
    ward = Stream()
    ward.take(adt("A01", pv1={3: "MICU&9.8&ISO^12^A^NORTH&1.2"}))
    assert ward.known.visits[visit("V1")].location == Location("MICU", "NORTH")
