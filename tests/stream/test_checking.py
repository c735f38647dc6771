"""Tests what a dry run says of messages: who would be flagged, why others are not, and nothing that they say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.hl7.messages import message
from tests.stream.feeding import settings

from wardround.adt.admissions import Watch
from wardround.adt.feed import feed_of
from wardround.spec.branches import Branch
from wardround.stream.checking import (
    FIRST_SEEN,
    NO_BRANCH,
    NO_MOVE,
    NOT_WATCHED,
    OVER,
    THERE_ALREADY,
    counted,
    findings,
)
from wardround.stream.files import messages_in

AT = datetime(2026, 1, 1, 13, tzinfo=UTC)
WATCHES = {"sepsis/early": Watch(Branch(id="early", classes=["I"]), timedelta(hours=12))}
PATIENT = "PID|1||4711^^^HOSP^MR||DOE^JANE"


@pytest.fixture
def checked(tmp_path):
    """checked(*bodies) returns what would become of the messages of a file."""

    def run(*bodies, watches=WATCHES, **keys):
        source = settings(**keys).sources["main"]
        file = Path(tmp_path / "a.hl7")
        file.write_bytes(b"".join(bodies))
        return list(findings(messages_in([file], source), feed_of("main", source), watches, source.charset, AT))

    return run


def adt(event, unit="MICU", visit_class="I", number="V1", at="20260101120000"):
    visit = f"PV1|1|{visit_class}|{unit}" + "|" * 16 + f"{number}^^^VISITS"
    return message(f"EVN||{at}", PATIENT, visit, event=f"ADT^{event}", control_id=f"{event}{number}{at}{unit}")


def said(found):
    return [(one.event, one.outcome, one.why) for one in found]


def test_who_is_newly_admitted_is_flagged_by_the_branches_that_ask(checked):
    found = checked(adt("A01"), adt("A02", number="V2"), adt("A01", visit_class="E", number="V3"))
    assert said(found) == [
        ("A01", "flagged", "sepsis/early"),
        ("A02", "flagged", "sepsis/early"),
        ("A01", "done", NO_BRANCH),
    ]
    assert [one.place[-17:] for one in found] == [f"/a.hl7: message {number}" for number in (1, 2, 3)]
    assert said(checked(adt("A01"), watches={})) == [("A01", "done", NO_BRANCH)]


@pytest.mark.parametrize(
    ("bodies", "why"),
    [
        ([adt("A01", unit="WARD")], NOT_WATCHED),
        ([adt("A01"), adt("A02", at="20260101123000")], THERE_ALREADY),
        ([adt("A01"), adt("A02", unit="MICU^2", at="20260101123000")], THERE_ALREADY),
        ([adt("A01"), adt("A08")], NO_MOVE),
        ([adt("A08")], FIRST_SEEN),
        ([adt("A01"), adt("A03", at="20260101123000")], OVER),
    ],
)
def test_why_a_visit_is_not_flagged_is_said(checked, bodies, why):
    assert said(checked(*bodies))[-1][1:] == ("done", why)


def test_what_has_no_effect_is_late_or_cannot_be_used_is_said_with_its_rule_and_place(checked):
    found = checked(
        adt("A31"),
        adt("A01"),
        adt("A02", unit="SICU", at="20260101110000"),
        adt("A01", number=""),
        message(PATIENT, charset="KLINGON"),
        message(processing="T"),
        message(event="ADT^MARKED"),
    )
    assert [(one.event, one.outcome) for one in found] == [
        ("A31", "ignored"),
        ("A01", "flagged"),
        ("A02", "late"),
        ("A01", "dead"),
        ("", "dead"),
        ("", "refused"),
        ("", "ignored"),
    ]
    assert found[0].why == "the event changes nothing"
    assert [one.why for one in found[2:6]] == [
        "it happened before what is known",
        "no_visit_number PV1-19",
        "charset_unknown MSH-18",
        "other_processing_id",
    ]
    assert "event_unknown MSH-9" in found[6].why


def test_a_merge_before_an_admission_is_known_to_it(checked):
    merge = message("EVN||20260101120000", PATIENT, "MRG|99^^^HOSP", event="ADT^A40")
    assert said(checked(merge, adt("A01")))[0][:2] == ("A40", "done")


def test_the_same_is_counted_together_with_the_place_of_the_first(checked):
    counts = counted(checked(adt("A01"), adt("A01", unit="X", number="2"), adt("A01", unit="Y", number="3")))
    assert [(outcome, why, of.messages, of.first[-10:]) for (outcome, why), of in counts.items()] == [
        ("done", NOT_WATCHED, 2, ": message 2"[1:]),
        ("flagged", "sepsis/early", 1, " message 1"),
    ]


def test_nothing_that_a_message_says_is_in_what_is_said(checked):
    marked = message("PID|1||MARKED^^^HOSP||MARKED", "PV1|1|MARKED|MARKED" + "|" * 16 + "MARKED^^^VISITS")
    found = checked(marked, message(event="MARKED^MARKED"), message("MARKED|1"), message(charset="MARKED"))
    assert len(found) == 4
    assert "MARKED" not in str(found)


def test_the_26_samples_are_what_was_read_in_them(checked, adt_samples):
    found = checked(
        *adt_samples.values(),
        units=["HUH AE OMU"],
        patients=[{"namespace": "test1", "system": "urn:oid:2.16.1"}],
        visits={"namespace": "AccMng", "universal_id": "1.2", "system": "urn:oid:1.2"},
        watches={"sepsis/any": Watch(Branch(id="any"), timedelta())},
    )
    assert len(found) == 26
    assert [one.event for one in found] == [name[4:7] for name in adt_samples]
    # One visit is admitted; discharged (A03) and registered again; that taken back (A11), and the discharge too.
    assert [one.event for one in found if one.outcome == "flagged"] == ["A01", "A04", "A13"]
