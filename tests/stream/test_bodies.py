"""Tests that what a stage puts, the next one takes as it was, and that nothing of it shows in a message."""

from datetime import UTC, datetime

from wardround.stream.bodies import (
    Admission,
    Cancelled,
    Notice,
    Number,
    Scored,
    StayRead,
    admission_in,
    for_record,
    packed,
    stay_in,
)

AT = datetime(2026, 1, 2, 5, 0, 0, 123456, tzinfo=UTC)
ADMISSION = Admission(Number("urn:v", "V-77"), (Number("urn:p", "P-77"),), "MICU", "I", AT, AT, 2.5)
SCORED = Scored(
    admission=ADMISSION,
    stay_id="e-77",
    patient_id="p-77",
    score=0.1 + 0.2,
    band="high",
    basis=("Observation/o-77",),
    reasons=("lactate 7.7",),
    missing=("sodium",),
    model_version="m",
    horizon=None,
    digest="d",
    source_url="https://fhir.example.org",
)


def test_a_body_comes_back_as_it_was() -> None:
    stay = StayRead(ADMISSION, ("e-77", 5, None, -(2**63)), b"\x00parquet\xff", "https://fhir.example.org")

    assert admission_in(packed(ADMISSION)) == ADMISSION
    assert stay_in(packed(stay)) == stay
    for one in (SCORED, Notice("k", SCORED, "v"), Cancelled(5, AT)):
        assert for_record(packed(one)) == one


def test_equal_bodies_are_equal_bytes() -> None:
    assert packed(SCORED) == packed(for_record(packed(SCORED)))


def test_no_message_of_an_error_can_show_a_body() -> None:
    stay = StayRead(ADMISSION, ("e-77",), b"", "https://fhir.example.org")

    assert "77" not in repr([ADMISSION, *ADMISSION.patients, stay, SCORED, Notice("k", SCORED, "v")])
