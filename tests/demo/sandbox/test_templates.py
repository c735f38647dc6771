"""Tests how a client fills prefetch templates: what it knows is put in, and no brace ever leaves it."""

from datetime import date

import pytest

from wardround.demo.sandbox.templates import filled

CONTEXT = {"userId": "Practitioner/dr-1", "patientId": "p1", "encounterId": "e1", "selections": ["a"]}
TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("Patient/{{context.patientId}}", "Patient/p1"),
        ("Observation?patient={{ context.patientId }}&code=a|b", "Observation?patient=p1&code=a|b"),
        ("Encounter?date=ge{{today() - 1 days}}", "Encounter?date=ge2026-02-28"),
        ("Encounter?date=le{{today() + 1 day}}", "Encounter?date=le2026-03-02"),
        ("Encounter?date={{today()}}", "Encounter?date=2026-03-01"),
        ("Practitioner/{{userPractitionerId}}", "Practitioner/dr-1"),
        ("ValueSet?url=x", "ValueSet?url=x"),
    ],
)
def test_a_template_is_filled_from_the_context_the_user_and_the_day(template: str, asked: str) -> None:
    assert filled(template, CONTEXT, TODAY) == asked


@pytest.mark.parametrize(
    "template",
    [
        "Patient/{{Patient.id}}",  # of an early draft, which public clients once sent to servers as it was
        "Patient/{{userPatientId}}",  # the user is a practitioner
        "Coverage?patient={{context.coverageId}}",
        "X?id={{context.selections}}",
        "X?id={{context.draftOrders.ServiceRequest.id}}",
        "Observation?date=ge{{now() - 2 hours}}",
        "X?id={{}}",
        "X?id={{context.patientId",
        "X?id=context.patientId}}",
    ],
)
def test_a_template_with_an_unknown_token_is_skipped(template: str) -> None:
    assert filled(template, CONTEXT, TODAY) is None
