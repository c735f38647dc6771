"""HAPI's searches: cached answers, forgotten searches, limits, many values, errors."""

import re
from dataclasses import replace
from uuid import uuid4

import pytest
import requests
from tests.hapi.screening import results, screened
from tests.loopback import Forward, Line, gateway_before

from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

pytestmark = pytest.mark.hapi

PATIENTS = [f"p{number:03}" for number in range(120)]


def put(source: FhirEndpoint, kind: str, names: list[str], **content: object) -> None:
    entries = [
        {
            "resource": {"resourceType": kind, "id": name, **content},
            "request": {"method": "PUT", "url": f"{kind}/{name}"},
        }
        for name in names
    ]
    with FhirClient(source) as client:
        assert {answer["response"]["status"] for answer in client.batch(entries)} <= {"200 OK", "201 Created"}


@pytest.fixture
def patients(small_pages: FhirEndpoint) -> FhirEndpoint:
    """The server whose pages hold 50, with 120 Patients."""
    put(small_pages, "Patient", PATIENTS)
    return small_pages


def test_a_page_of_a_forgotten_search_is_gone_and_the_search_starts_again(patients, caplog) -> None:
    """The gateway changes the name of the first search in its next link to one that HAPI does not know."""
    answered: list[int] = []

    def meet(line: Line, forward: Forward) -> None:
        given = forward()
        answered.append(given.status)
        name = uuid4() if len(answered) == 1 else None
        body = re.sub(rb"_getpages=[0-9a-f-]+", f"_getpages={name}".encode(), given.body) if name else given.body
        line.pass_on(replace(given, body=body))

    with gateway_before(patients.base_url, meet) as url, FhirClient(replace(patients, base_url=url)) as client:
        ids = [one["id"] for one in client.search("Patient", {})]
    assert answered == [200, 410, 200, 200, 200]
    assert sorted(ids) == PATIENTS
    assert "the server forgot the search before its end; reading it again from the start" in caplog.text


def test_a_smaller_largest_page_changes_nothing(patients) -> None:
    raw = requests.get(f"{patients.base_url}/Patient?_count=1000", timeout=60).json()
    with FhirClient(patients) as client:
        assert len(raw["entry"]) == 50
        assert sorted(one["id"] for one in client.search("Patient", {})) == PATIENTS


def test_what_comes_and_goes_while_pages_are_read_costs_nobody_a_place(patients) -> None:
    with FhirClient(patients) as client:
        search = client.search("Patient", {"_sort": "-_lastUpdated"})
        early = [next(search)["id"] for _ in range(10)]
        put(patients, "Patient", ["new"])
        client.batch([{"request": {"method": "DELETE", "url": f"Patient/{early[0]}"}}])
        ids = [*early, *(one["id"] for one in search)]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= set(PATIENTS)


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_what_was_just_written_is_found_though_the_server_answers_from_a_cache(source, as_of, way) -> None:
    name = f"{way.lower()}-{as_of[14:16]}"
    place = {"url": f"{source.base_url}/Location", "params": {"name": name}}
    if way == "POST":
        place = {"url": f"{source.base_url}/Location/_search", "data": {"name": name}}
    before = requests.request(way, **place, timeout=60).json()
    put(source, "Location", [name], name=name)
    cached = requests.request(way, **place, timeout=60)
    with FhirClient(source) as client:
        fresh = [one["id"] for one in client.search("Location", {"name": name})]
    assert before["total"] == cached.json()["total"] == 0
    assert cached.headers["X-Cache"].startswith("HIT")
    assert fresh == [name]


def test_a_reconciliation_sees_what_was_removed_a_moment_ago(source, settings, as_of) -> None:
    """If it was answered from the cache, the second run would call a result written that is no longer there."""
    screened(source, settings, as_of)
    risks, provenances = results(source, as_of)
    with FhirClient(source) as client:
        gone = [*provenances, *risks]
        client.batch([{"request": {"method": "DELETE", "url": f"{one['resourceType']}/{one['id']}"}} for one in gone])
    again = screened(source, settings, as_of)
    assert (again["unchanged"], again["written"]) == (0, len(risks))
    assert len(results(source, as_of)[0]) == len(risks)


def test_thousands_of_values_are_found_in_one_posted_search(source) -> None:
    with FhirClient(source) as client:
        patients = [str(one["id"]) for one in client.search("Patient", {})]
        before = client.requests_made
        found = list(client.search("Patient", {"_id": [*(f"nobody-{number}" for number in range(2000)), *patients]}))
        assert client.requests_made == before + 1
    assert sorted(str(one["id"]) for one in found) == sorted(patients)


def test_patients_and_locations_come_with_their_encounters(source) -> None:
    include = [("_include", "Encounter:patient"), ("_include", "Encounter:location")]
    with FhirClient(source) as client:
        found = list(client.search("Encounter", [("class", "ACUTE"), *include]))
        encounters = [one for one in found if one["resourceType"] == "Encounter"]
        patients = {f"Patient/{one['id']}" for one in found if one["resourceType"] == "Patient"}
    assert {one["subject"]["reference"] for one in encounters} == patients
    assert {one["resourceType"] for one in found} == {"Encounter", "Patient", "Location"}


@pytest.mark.parametrize("preferred", ["strict", "lenient"])
def test_an_unknown_parameter_is_refused(source, preferred) -> None:
    asked = requests.get(f"{source.base_url}/Encounter?ward=7", headers={"Prefer": f"handling={preferred}"}, timeout=60)
    assert (asked.status_code, asked.json()["resourceType"]) == (400, "OperationOutcome")
    with FhirClient(source) as client, pytest.raises(FhirError) as raised:
        list(client.search("Encounter", {"ward": "7"}))
    assert "ward" not in str(raised.value).removeprefix(source.base_url)
