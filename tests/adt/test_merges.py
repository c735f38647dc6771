"""Merges: numbers that are others' from now on, and what becomes of visits, requests and results."""

import pytest
from tests.adt.ward import EVERY, FEED, Stream, adt, at, ended, flagged, merge, patient, visit

from wardround.adt.known import Kind, Known, Name

ACCOUNTS = FEED.__class__(**vars(FEED) | {"visit_fields": ("PID-18",)})


@pytest.mark.parametrize("event", ["A18", "A34", "A40", "A47", "A30", "A36", "A39", "A46"])
def test_a_merge_of_patients_leaves_visits_where_they_are(event: str) -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(merge("P1", "P2", event))
    assert (change.outcome, change.visits, change.aliases) == (
        "done",
        {},
        {Name(Kind.PATIENT, patient("P1")): patient("P2")},
    )
    assert (ward.lies(), ward.patient()) == (("MICU", True), "P2")


def test_chains_of_merges_are_followed_in_whatever_order_they_come() -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")), merge("P2", "P3"), merge("P1", "P2"), merge("P3", "P4"))
    assert ward.patient() == "P4"


def test_an_update_under_the_merged_number_revives_nobody() -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")), merge("P1", "P2"))
    change = ward.take(adt("A08", of="P1", unit="SICU", when=at("09:00")))
    assert (ward.patient(), ended(change), change.remarks) == ("P2", [], ())


def test_a_visit_under_the_remaining_number_is_the_same_patients() -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")), merge("P1", "P2"))
    change = ward.take(adt("A02", of="P2", unit="SICU", when=at("09:00")))
    assert (ended(change), flagged(change), change.remarks) == ([], [], ())


@pytest.mark.parametrize(
    ("messages", "remark"),
    [
        ([("P1", "P1")], "merged_with_itself MRG-1"),
        ([("P1", "P2"), ("P1", "P2")], "merged_before MRG-1"),
        ([("P1", "P2"), ("P2", "P3"), ("P1", "P3")], "merged_before MRG-1"),
    ],
)
def test_a_merge_that_changes_nothing_is_counted(messages, remark: str) -> None:
    ward = Stream()
    change = ward.take(*(merge(*one) for one in messages))
    assert (change.outcome, change.aliases, change.remarks) == ("ignored", {}, (remark,))


def test_a_merge_that_was_the_wrong_way_round_can_be_turned() -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")), merge("P1", "P2"), merge("P2", "P1"))
    assert ward.patient() == "P1"
    assert ward.known.remaining(Kind.PATIENT, patient("P2")) == patient("P1")


def test_numbers_that_lead_in_a_circle_end_somewhere() -> None:
    """No message makes such a circle. If there is one nevertheless, the feed must not stand still."""
    numbers = [patient("P1"), patient("P2"), patient("P3")]
    circle = dict(zip((Name(Kind.PATIENT, one) for one in numbers), [*numbers[1:], numbers[0]], strict=True))
    assert Known({}, circle, {}).remaining(Kind.PATIENT, numbers[0]) in numbers


def test_several_patients_of_one_message_are_merged() -> None:
    ward = Stream()
    first, second = merge("P1", "P2").decode(), merge("P3", "P4").decode()
    ward.take((first + second[second.index("PID|") :]).encode())
    assert [ward.known.remaining(Kind.PATIENT, patient(one)).value for one in ("P1", "P3")] == ["P2", "P4"]


def test_a_number_of_an_authority_that_is_not_known_merges_nobody() -> None:
    change = Stream().take(merge("P1", "P2").replace(b"MRG|P1^^^HOSP", b"MRG|P1^^^NOWHERE"))
    assert (change.outcome, change.aliases, change.remarks) == ("ignored", {}, ("no_known_number MRG-1",))


def test_a_merge_into_nobody_is_a_dead_letter() -> None:
    change = Stream().take(merge("P1", ""))
    assert (change.outcome, change.remarks) == ("dead", ("no_patient_number PID-3",))


def test_a_patient_and_a_visit_of_one_number_are_not_taken_for_each_other() -> None:
    ward = Stream()
    ward.take(adt("A01", "77", of="77", when=at("08:00")), merge("77", "78"))
    assert (ward.lies("77"), ward.lies("78"), ward.patient("77")) == (("MICU", True), None, "78")


@pytest.mark.parametrize("event", ["A42", "A45", "A50", "A06", "A07"])
def test_a_visit_with_another_number_keeps_its_state_and_its_requests(event: str) -> None:
    ward = Stream()
    ward.take(adt("A01", "V1", when=at("08:00")))
    change = ward.take(adt(event, "V2", when=at("09:00"), merged="||||V1^^^VISITS"))
    assert (flagged(change), ended(change)) == ([], [])
    assert (ward.lies("V2"), ward.lies("V1")) == (("MICU", True), ("MICU", True))  # also by its earlier number
    assert [one.visit for one in ward.known.visits[visit("V2")].requests] == [visit("V1")]
    assert ward.known.visits[visit("V1")] is None


@pytest.mark.parametrize("event", ["A35", "A41", "A49", "A44"])
def test_an_account_with_another_number_renames_visits_that_are_known_by_account(event: str) -> None:
    ward = Stream(ACCOUNTS)
    ward.take(adt("A01", pid={18: "A1^^^VISITS"}, when=at("08:00")))
    ward.take(adt(event, pid={18: "A2^^^VISITS"}, merged="||A1^^^VISITS", when=at("09:00")))
    assert ward.known.visits[visit("A2")].is_open
    assert ward.known.visits[visit("A1")] is None


def test_an_account_that_is_merged_concerns_no_visit_that_is_known_by_its_own_number() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A41", merged="||A1^^^VISITS", when=at("09:00")))
    assert (change.outcome, change.visits, change.remarks) == ("ignored", {}, ("no_known_number MRG",))


def test_two_visits_that_are_one_lie_where_the_later_message_says_and_are_asked_about_once() -> None:
    ward = Stream()
    ward.take(adt("A01", "V1", "MICU", when=at("08:00")), adt("A01", "V2", "SICU", when=at("09:00")))
    change = ward.take(adt("A42", "V2", when=at("10:00"), merged="||||V1^^^VISITS"))
    assert (ward.lies("V2"), ward.lies("V1")) == (("SICU", True), ("SICU", True))
    assert (flagged(change), ended(change)) == ([], [(EVERY, "cancelled", False)])
    assert [(one.request.visit, one.request.message) for one in change.endings] == [(visit("V1"), 1)]


def test_a_merged_visit_that_the_older_one_left_closed_is_not_open_elsewhere() -> None:
    ward = Stream()
    ward.take(
        adt("A01", "V1", when=at("08:00")), adt("A01", "V2", when=at("09:00")), adt("A03", "V2", when=at("10:00"))
    )
    ward.take(adt("A42", "V2", when=at("11:00"), merged="||||V1^^^VISITS"))
    assert ward.lies("V2") == ("MICU", False)
    assert [one for one in ward.known.visits.values() if one and one.is_open] == []


def test_messages_under_the_earlier_number_of_a_visit_count_for_it() -> None:
    ward = Stream()
    ward.take(adt("A01", "V1", when=at("08:00")), adt("A50", "V2", merged="||||V1^^^VISITS", when=at("09:00")))
    ward.take(adt("A02", "V1", "SICU", when=at("10:00")))
    assert ward.lies("V2") == ("SICU", True)
    assert ward.known.visits[visit("V1")] is None


def test_a_rename_to_the_same_number_is_counted() -> None:
    ward = Stream()
    ward.take(adt("A01", when=at("08:00")))
    change = ward.take(adt("A45", merged="||||V1^^^VISITS", when=at("09:00")))
    assert (change.outcome, change.visits, change.remarks) == ("ignored", {}, ("merged_with_itself MRG",))


@pytest.mark.parametrize("event", ["A01", "A02", "A08", "A44", "A45", "A13"])
def test_a_visit_that_turns_out_to_be_another_patients_takes_everything_back_and_asks_anew(event: str) -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")))
    change = ward.take(adt(event, of="P2", when=at("09:00")))
    assert "other_patient PID-3" in change.remarks
    assert (ended(change), flagged(change)) == ([(EVERY, "cancelled", True)], [EVERY])
    assert (ward.patient(), change.admissions[0].visit.patient) == ("P2", patient("P2"))


def test_who_left_and_turns_out_to_be_another_patient_takes_back_what_was_written() -> None:
    ward = Stream()
    ward.take(adt("A01", of="P1", when=at("08:00")))
    change = ward.take(adt("A03", of="P2", when=at("09:00")))
    assert (ended(change), flagged(change)) == ([(EVERY, "cancelled", True)], [])


def test_a_correction_of_the_patient_alone_keeps_no_later_entered_transfer_out() -> None:
    ward = Stream()
    ward.take(adt("A01", unit="WARD7", when=at("08:00")), adt("A08", of="P2", unit="WARD7", when=at("09:00")))
    assert flagged(ward.take(adt("A02", of="P2", when=at("08:30"), recorded=at("09:10")))) == [EVERY]


def test_visits_of_two_patients_that_are_merged_ask_anew_for_the_one_that_remains() -> None:
    ward = Stream()
    ward.take(adt("A01", "V1", of="P1", when=at("08:00")), adt("A01", "V2", "SICU", of="P2", when=at("09:00")))
    change = ward.take(adt("A42", "V2", of="P2", when=at("10:00"), merged="||||V1^^^VISITS"))
    assert (ward.lies("V2"), ward.patient("V2"), flagged(change)) == (("SICU", True), "P2", [EVERY])
    assert {one.request.message for one in change.endings if one.is_taken_back} == {1, 2}
