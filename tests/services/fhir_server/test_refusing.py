"""Bad requests and bad resources end in an OperationOutcome that repeats no value."""

from typing import Any

import pytest

SECRET = "zz-secret-zz"
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
RISK: dict[str, Any] = {"resourceType": "RiskAssessment", "status": "final", "subject": {"reference": "Patient/p"}}


def _without(resource: dict[str, Any], element: str) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != element}


@pytest.mark.parametrize(
    "resource",
    [
        _without(OBSERVATION, "status"),
        _without(OBSERVATION, "code"),
        _without(RISK, "status"),
        _without(RISK, "subject"),
        OBSERVATION | {"status": SECRET},
        OBSERVATION | {"status": ["final"]},
        OBSERVATION | {"colour": SECRET},
        OBSERVATION | {"effectiveDateTime": SECRET},
        OBSERVATION | {"effectiveDateTime": "2026-01-02T05:00:00"},
        OBSERVATION | {"effectiveDateTime": 2026},
        OBSERVATION | {"effectivePeriod": {"start": SECRET}},
        OBSERVATION | {"effectiveDateTime": "2026", "effectiveInstant": "2026-01-01T00:00:00Z"},
        OBSERVATION | {"issued": SECRET},
        OBSERVATION | {"subject": f"Patient/{SECRET}"},
        OBSERVATION | {"subject": {"reference": [SECRET]}},
        OBSERVATION | {"code": {"coding": [SECRET]}},
        OBSERVATION | {"code": 7},
        OBSERVATION | {"valueQuantity": {"value": SECRET}},
        OBSERVATION | {"identifier": [SECRET]},
        OBSERVATION | {"meta": SECRET},
        OBSERVATION | {"meta": {"tag": [[SECRET]]}},
        RISK | {"prediction": [{"probabilityDecimal": 0.1, "probabilityRange": {}}]},
        RISK | {"prediction": [{"probabilityDecimal": SECRET}]},
        {"resourceType": "Patient", "birthDate": "02.01.1950"},
        {"resourceType": "Patient", "gender": SECRET},
        {"resourceType": "Patient", "name": [{"family": {"text": SECRET}}]},
    ],
)
def test_a_wrong_resource_is_refused_and_not_repeated(fhir: Any, resource: dict[str, Any]) -> None:
    answer = fhir.send("POST", resource["resourceType"], resource)
    assert answer.status_code == 400, answer.text
    assert answer.json()["issue"][0]["severity"] == "error"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "Nonsense/1", None, 404),
        ("GET", "Patient/none", None, 404),
        ("GET", "Patient/none/_history", None, 404),
        ("GET", "", None, 404),
        ("POST", "Patient", OBSERVATION, 400),
        ("POST", "Patient", [], 400),
        ("PUT", "Patient/a", {"resourceType": "Patient", "id": "b"}, 400),
        ("PUT", "Patient/a", {"resourceType": "Patient"}, 400),
        ("PUT", "Patient/a_b", {"resourceType": "Patient", "id": "a_b"}, 400),
        ("PATCH", "Patient/a", [], 405),
        ("POST", "Patient/a/b/c", {}, 405),
        ("DELETE", "Patient", None, 400),
    ],
)
def test_a_wrong_request_is_refused(fhir: Any, method: str, path: str, body: Any, status: int) -> None:
    answer = fhir.send(method, path, body)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff", b'{"resourceType": "Patient"', b"NaN"])
def test_a_body_that_is_not_json_is_refused(fhir: Any, raw: bytes) -> None:
    url = f"{fhir.server.base_url}/Patient"
    answer = fhir.session.post(url, data=raw, headers={"Content-Type": "application/fhir+json"}, timeout=30)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "structure")


def test_other_formats_are_refused(fhir: Any) -> None:
    url = f"{fhir.server.base_url}/Patient"
    xml = {"Content-Type": "application/fhir+xml"}
    assert fhir.session.post(url, data=b"<Patient/>", headers=xml, timeout=30).status_code == 415
    assert fhir.session.get(url, headers={"Accept": "application/fhir+xml"}, timeout=30).status_code == 406


def test_a_path_outside_the_base_is_not_found(fhir: Any) -> None:
    answer = fhir.session.get(f"{fhir.server.control_url}/elsewhere", timeout=30)
    assert (answer.status_code, answer.json()["resourceType"]) == (404, "OperationOutcome")


def test_a_reference_to_nothing_is_accepted_and_found_once_it_is_there(fhir: Any) -> None:
    risk = RISK | {"id": "dangling", "subject": {"reference": "Patient/later"}}
    fhir.put(risk)
    assert fhir.send("GET", "Patient/later").status_code == 404
    assert fhir.ids("RiskAssessment?patient=later") == {"dangling"}
    fhir.put({"resourceType": "Patient", "id": "later", "gender": "female"})
    assert fhir.ids("RiskAssessment?patient.gender=female") == {"dangling"}
