"""Tests that $validate says what a write would say, and stores nothing."""

import pytest

VALID = {"resourceType": "Observation", "id": "valid", "status": "final", "code": {"text": "x"}}
PROFILE = {"name": "profile", "valueUri": "http://example.org/p"}


def parameters(*parts):
    return {"resourceType": "Parameters", "parameter": list(parts)}


def issues(answer):
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return [(issue["severity"], issue["code"]) for issue in outcome["issue"]]


@pytest.mark.parametrize(
    "body", [VALID, parameters({"name": "resource", "resource": VALID})], ids=["alone", "in Parameters"]
)
def test_a_valid_resource_has_no_error_and_is_not_stored(fhir, body):
    answer = fhir.send("POST", "Observation/$validate", body)

    assert (answer.status_code, issues(answer)) == (200, [("information", "informational")])
    assert fhir.ids("Observation?_id=valid") == set()


def test_an_invalid_resource_has_the_error_that_a_write_would_have(fhir):
    wrong = VALID | {"status": "nope"}

    answer = fhir.send("POST", "Observation/$validate", parameters({"name": "resource", "resource": wrong}))

    assert answer.status_code == 200
    assert answer.json()["issue"] == fhir.send("PUT", "Observation/valid", wrong).json()["issue"]


@pytest.mark.parametrize(
    ("body", "status", "issue"),
    [
        (parameters({"name": "resource", "resource": VALID}, PROFILE), 422, ("error", "not-supported")),
        (parameters({"name": "resource"}), 400, ("error", "required")),
        (parameters(), 200, ("error", "invalid")),
        ([], 200, ("error", "structure")),
    ],
    ids=["profile", "no resource", "no parts", "a list"],
)
def test_what_cannot_be_judged_is_no_valid_resource(fhir, body, status, issue):
    answer = fhir.send("POST", "Observation/$validate", body)

    assert (answer.status_code, issues(answer)) == (status, [issue])
