"""Tests that invalid requests and resources get an OperationOutcome that repeats no value."""

import base64
import json
import zlib
from typing import Any

import pytest
import requests

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
def test_an_invalid_resource_is_refused_and_not_repeated(fhir: Any, resource: dict[str, Any]) -> None:
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
def test_an_invalid_request_is_refused(fhir: Any, method: str, path: str, body: Any, status: int) -> None:
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


def test_a_dangling_reference_is_accepted_and_found_once_its_target_exists(fhir: Any) -> None:
    risk = RISK | {"id": "dangling", "subject": {"reference": "Patient/later"}}
    fhir.put(risk)
    assert fhir.send("GET", "Patient/later").status_code == 404
    assert fhir.ids("RiskAssessment?patient=later") == {"dangling"}
    fhir.put({"resourceType": "Patient", "id": "later", "gender": "female"})
    assert fhir.ids("RiskAssessment?patient.gender=female") == {"dangling"}


@pytest.mark.parametrize("depth", [300, 900, 1000])
@pytest.mark.parametrize("kind", ["batch", "transaction", ""])
def test_deeply_nested_json_is_refused(fhir: Any, depth: int, kind: str) -> None:
    text = '{"extension":[' * (depth // 2) + "]}" * (depth // 2)
    patient = '{"resourceType":"Patient","id":"deep","contact":' + text + "}"
    entry = f'{{"resource":{patient},"request":{{"method":"PUT","url":"Patient/deep"}}}}'
    body = f'{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}' if kind else patient
    path, method = ("", "POST") if kind else ("/Patient/deep", "PUT")
    headers = {"Content-Type": "application/fhir+json"}
    answer = requests.request(method, f"{fhir.server.base_url}{path}", data=body, headers=headers, timeout=60)
    status = (
        answer.json()["entry"][0]["response"]["status"][:3] if kind == "batch" and answer.ok else answer.status_code
    )
    assert int(status) == 400
    assert fhir.send("GET", "Patient/deep").status_code == 404


def test_a_form_that_is_not_utf_8_is_refused(fhir: Any) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{fhir.server.base_url}/Patient/_search", data=b"name=\xff", headers=form, timeout=60)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


@pytest.mark.parametrize(
    "query",
    [
        f"_count={'9' * 5000}",
        "subject.subject.subject.subject.subject.name=a",
        "_has:Observation:patient:_has:Observation:patient:_has:Observation:patient:_has:Observation:patient:code=a",
    ],
)
def test_an_unanswerable_search_is_refused(fhir: Any, query: str) -> None:
    assert fhir.send("GET", f"Observation?{query}").status_code == 400


def test_more_values_than_the_database_allows_are_refused(fhir: Any) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "birthdate=" + ",".join(["2026"] * 40_000)
    answer = requests.post(f"{fhir.server.base_url}/Patient/_search", data=body, headers=form, timeout=60)
    assert answer.status_code == 400


@pytest.mark.parametrize("after", [[2**70], [{}], [[1]], [True, 5, None]])
@pytest.mark.parametrize("newest", [5, 2**70, "a"])
@pytest.mark.parametrize("pairs", [[], [[5, 5]], [["name", "a"]], 5])
def test_a_forged_page_is_refused(fhir: Any, after: Any, newest: Any, pairs: Any) -> None:
    packed = zlib.compress(json.dumps([pairs, after, newest, None]).encode())
    answer = fhir.send("GET", f"Patient?_page={base64.urlsafe_b64encode(packed).decode()}")
    assert answer.status_code == 400


def test_a_page_link_that_expands_too_much_is_not_unpacked(fhir: Any) -> None:
    packed = base64.urlsafe_b64encode(zlib.compress(b"[" + b" " * 2**26, 9)).decode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{fhir.server.base_url}/Patient/_search", data=f"_page={packed}", headers=form, timeout=60)
    assert answer.status_code == 400


def test_numbers_beyond_64_bits_are_found_by_their_approximate_value(fhir: Any) -> None:
    value = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "id": "great"}
    fhir.put(value | {"valueQuantity": {"value": 2**64 - 1, "code": "great"}})
    assert fhir.ids("Observation?value-quantity=gt1e18") == {"great"}


def test_a_tag_that_is_not_a_list_does_not_break_a_summary(fhir: Any) -> None:
    fhir.put({"resourceType": "Location", "id": "tagged", "meta": {"tag": {"code": "a"}}})
    assert fhir.ids("Location?_id=tagged&_summary=true") == {"tagged"}


@pytest.mark.parametrize("url", ["http://[", "https://elsewhere.org/Patient/a"])
def test_an_entry_with_a_foreign_url_fails_alone(fhir: Any, url: str) -> None:
    entries = [{"request": {"method": "GET", "url": one}} for one in (url, "Patient?_id=a")]
    answer = fhir.batch(*entries).json()["entry"]
    assert [entry["response"]["status"][:3] for entry in answer] == ["400", "200"]


def test_a_head_is_answered_as_a_get_without_the_body(fhir: Any) -> None:
    fhir.put({"resourceType": "Patient", "id": "headed"})
    answer = fhir.send("HEAD", "Patient/headed")
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, b"", 'W/"1"')


@pytest.mark.parametrize("plan", [b"\xff", b'{"seed": NaN}', b'{"faults": [{"rate": 1e999}]}', b"[]"])
def test_a_plan_of_another_shape_is_refused(fhir: Any, plan: bytes) -> None:
    assert requests.post(f"{fhir.server.control_url}/_faults", data=plan, timeout=60).status_code == 400
