"""Create, read, update, delete, versions and conditional writes, over HTTP."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

Risk = Callable[..., dict[str, Any]]


def patient(resource_id: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": resource_id} | more


def test_a_create_gets_an_id_a_version_and_a_location(fhir: Any) -> None:
    answer = fhir.send("POST", "Patient", {"resourceType": "Patient", "gender": "female"})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Location"] == f"{fhir.server.base_url}/Patient/{made['id']}/_history/1"
    assert fhir.search(f"Patient/{made['id']}") == made


def test_an_update_of_an_absent_id_creates_it(fhir: Any) -> None:
    assert fhir.send("PUT", "Patient/absent", patient("absent")).status_code == 201
    assert fhir.send("PUT", "Patient/absent", patient("absent", gender="male")).status_code == 200


def test_an_update_with_equal_content_creates_no_new_version(fhir: Any) -> None:
    first = fhir.send("PUT", "Patient/same", patient("same", gender="male", active=True))
    reordered = {"active": True, "gender": "male"} | patient("same") | {"meta": {"versionId": "7"}}
    again = fhir.send("PUT", "Patient/same", reordered)
    assert (again.status_code, again.headers["ETag"]) == (200, 'W/"1"')
    assert again.json() == first.json()


def test_every_version_can_be_read_and_a_deletion_is_one(fhir: Any) -> None:
    fhir.put(patient("versions", gender="male"))
    fhir.put(patient("versions", gender="female"))
    assert fhir.search("Patient/versions/_history/1")["gender"] == "male"
    assert fhir.send("DELETE", "Patient/versions").status_code == 204
    assert fhir.send("GET", "Patient/versions").status_code == 410
    history = fhir.search("Patient/versions/_history")
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT", "PUT"]
    assert fhir.send("GET", "Patient/versions/_history/9").status_code == 404
    assert fhir.ids("Patient?_id=versions") == set()
    answer = fhir.send("PUT", "Patient/versions", patient("versions"))
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"4"')


def test_if_match_refuses_a_stale_version(fhir: Any) -> None:
    fhir.put(patient("match", gender="male"))
    fhir.put(patient("match", gender="female"))
    stale = fhir.send("PUT", "Patient/match", patient("match"), If_Match='W/"1"')
    assert stale.status_code == 412
    assert fhir.send("DELETE", "Patient/match", If_Match='W/"1"').status_code == 412
    assert fhir.send("PUT", "Patient/match", patient("match"), If_Match='W/"2"').status_code == 200
    assert fhir.send("PUT", "Patient/nothing", patient("nothing"), If_Match='W/"1"').status_code == 412


def test_if_none_match_answers_304_without_a_body(fhir: Any) -> None:
    fhir.put(patient("etag"))
    answer = fhir.send("GET", "Patient/etag", If_None_Match='W/"1"')
    assert (answer.status_code, answer.content) == (304, b"")
    assert fhir.send("GET", "Patient/etag", If_None_Match='W/"2"').status_code == 200


def test_prefer_return_minimal_leaves_out_the_body(fhir: Any) -> None:
    answer = fhir.send("PUT", "Patient/minimal", patient("minimal"), Prefer="return=minimal")
    assert (answer.status_code, answer.content) == (201, b"")


def test_a_conditional_create_creates_one_resource(fhir: Any, risk: Risk) -> None:
    criteria = "identifier=urn:test|if-none-exist"
    first = fhir.send("POST", "RiskAssessment", risk("if-none-exist"), If_None_Exist=criteria)
    again = fhir.send("POST", "RiskAssessment", risk("if-none-exist", status="amended"), If_None_Exist=criteria)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_a_conditional_update_creates_updates_or_refuses(fhir: Any, risk: Risk) -> None:
    url = "RiskAssessment?identifier=urn:test|conditional"
    first = fhir.send("PUT", url, risk("conditional"))
    again = fhir.send("PUT", url, risk("conditional", status="amended"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert fhir.send("PUT", url, risk("conditional", id="other")).status_code == 400
    fhir.send("POST", "RiskAssessment", risk("conditional"))
    assert fhir.send("PUT", url, risk("conditional")).status_code == 412
    assert fhir.send("DELETE", url).status_code == 412


@pytest.mark.parametrize("url", ["RiskAssessment", "RiskAssessment?no-such=1"])
def test_a_conditional_update_without_known_criteria_is_refused(fhir: Any, risk: Risk, url: str) -> None:
    assert fhir.send("PUT", url, risk("none")).status_code == 400


def test_a_conditional_delete_removes_the_one_match(fhir: Any, risk: Risk) -> None:
    fhir.send("POST", "RiskAssessment", risk("delete-me"))
    url = "RiskAssessment?identifier=urn:test|delete-me"
    assert [fhir.send("DELETE", url).status_code for _ in range(2)] == [204, 204]
    assert fhir.search(url)["total"] == 0


def test_concurrent_conditional_updates_create_one_resource(fhir: Any, risk: Risk) -> None:
    start, statuses = threading.Barrier(8), []

    def write() -> None:
        start.wait()
        url = f"{fhir.server.base_url}/RiskAssessment?identifier=urn:test|race"
        statuses.append(requests.put(url, json=risk("race"), timeout=30).status_code)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 7 + [201]
    assert fhir.search("RiskAssessment?identifier=urn:test|race")["total"] == 1
