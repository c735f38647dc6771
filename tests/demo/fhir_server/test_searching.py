"""Tests search parameters over HTTP: each row is a query on a small ward, with the ids that it must find."""

from typing import Any

import pytest

LOINC = "http://loinc.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def encounter(resource_id: str, code: str, status: str, patient: str, location: str, **period: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": resource_id,
        "status": status,
        "class": {"system": ACT, "code": code},
        "subject": {"reference": f"Patient/{patient}"},
        "period": period,
        "location": [{"location": {"reference": "Location/er"}}, {"location": {"reference": f"Location/{location}"}}],
    }


def observation(resource_id: str, patient: str, code: str, time: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "code": {"coding": [{"system": "urn:local", "code": f"local-{code}"}, {"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "encounter": {"reference": f"Encounter/{patient}-stay"},
        "effectiveDateTime": time,
    } | more


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


WARD: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "house", "name": "House"},
    {"resourceType": "Location", "id": "er", "name": "Emergency"},
    {"resourceType": "Location", "id": "micu", "name": "Médical ICU (MICU)", "alias": ["Ward 7"]},
    {"resourceType": "Location", "id": "sicu", "name": "Surgical ICU"},
    {
        "resourceType": "Patient",
        "id": "ann",
        "gender": "female",
        "birthDate": "1950-03-02",
        "active": True,
        "identifier": [{"system": "urn:mrn", "value": "17"}, {"system": "urn:other", "value": "17"}],
        "name": [{"family": "Müller-Straße", "given": ["Ann", None, "Eve"]}],
        "managingOrganization": {"reference": "Organization/house"},
        "meta": {"tag": [{"system": "urn:ward", "code": "seven"}]},
    },
    {"resourceType": "Patient", "id": "bob", "gender": "male", "birthDate": "1950-07", "name": [{"family": "Smith"}]},
    encounter("ann-stay", "ACUTE", "in-progress", "ann", "micu", start="2026-01-01T20:00:00-05:00"),
    encounter("bob-stay", "IMP", "finished", "bob", "sicu", start="2025-12-01T00:00:00Z", end="2025-12-24T12:00:00Z"),
    observation("ann-hr", "ann", "8867-4", "2026-01-02T03:00:00Z", valueQuantity=quantity(104, "/min")),
    observation("ann-lac", "ann", "2524-7", "2026-01-02T01:30:00.250-05:00", valueQuantity=quantity(2.04, "mmol/L")),
    observation("bob-hr", "bob", "8867-4", "2025-12-02", valueQuantity=quantity(88, "/min")),
    observation("bob-bp", "bob", "85354-9", "2025-12-02T10:00:00Z", status="amended")
    | {"component": [{"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}}]},
    {
        "resourceType": "RiskAssessment",
        "id": "ann-risk",
        "status": "final",
        "subject": {"reference": "Patient/ann"},
        "encounter": {"reference": "Encounter/ann-stay"},
        "occurrenceDateTime": "2026-01-02T05:00:00Z",
        "prediction": [{"probabilityDecimal": 0.31}, {"probabilityDecimal": 0.9}],
    },
    {
        "resourceType": "Provenance",
        "id": "ann-provenance",
        "target": [{"reference": "RiskAssessment/ann-risk"}, {"reference": "Patient/ann"}],
        "recorded": "2026-01-02T05:00:10Z",
        "agent": [{"who": {"reference": "Device/wardround"}}],
    },
    {"resourceType": "Device", "id": "wardround", "deviceName": [{"name": "Wardround", "type": "model-name"}]},
]


@pytest.fixture(scope="module", autouse=True)
def _ward(shared_server: Any) -> None:
    for resource in WARD:
        shared_server.put(resource)


FOUND = {
    # token
    "Encounter?class=IMP": "bob-stay",
    f"Encounter?class={ACT}|ACUTE": "ann-stay",
    f"Encounter?class={ACT}|": "ann-stay bob-stay",
    "Encounter?class=|IMP": "",
    "Encounter?class=IMP,ACUTE": "ann-stay bob-stay",
    "Encounter?status=in-progress": "ann-stay",
    "Encounter?status:not=in-progress": "bob-stay",
    "Patient?gender=female": "ann",
    "Patient?active=true": "ann",
    "Patient?active:missing=true": "bob",
    "Patient?_tag=urn:ward|seven": "ann",
    "Patient?_id=ann,bob,nobody": "ann bob",
    f"Observation?code={LOINC}|8867-4": "ann-hr bob-hr",
    f"Observation?code={LOINC}|8867": "",
    "Observation?code=local-8867-4": "ann-hr bob-hr",
    f"Observation?code=urn:local|local-8867-4,{LOINC}|2524-7&status=final": "ann-hr bob-hr ann-lac",
    f"Observation?component-code={LOINC}|8480-6": "bob-bp",
    # identifier
    "Patient?identifier=17": "ann",
    "Patient?identifier=urn:mrn|17": "ann",
    "Patient?identifier=urn:none|17": "",
    "Patient?identifier=urn:mrn|": "ann",
    "Patient?identifier:missing=true": "bob",
    # reference
    "Observation?patient=ann": "ann-hr ann-lac",
    "Observation?patient=Patient/ann,nobody": "ann-hr ann-lac",
    "Observation?subject=Patient/ann,Patient/bob": "ann-hr ann-lac bob-hr bob-bp",
    "Observation?subject:Patient=bob": "bob-hr bob-bp",
    "Observation?patient=Group/ann": "",
    "Observation?patient={base}/Patient/ann": "ann-hr ann-lac",
    "Observation?patient=http://elsewhere.example/fhir/Patient/ann": "",
    "Observation?encounter=bob-stay": "bob-hr bob-bp",
    "Encounter?location=Location/micu": "ann-stay",
    "Encounter?location=er": "ann-stay bob-stay",
    "Provenance?target=RiskAssessment/ann-risk": "ann-provenance",
    "Provenance?patient=ann": "ann-provenance",
    "Provenance?agent=Device/wardround": "ann-provenance",
    "RiskAssessment?encounter=ann-stay": "ann-risk",
    # chains, both ways
    "Encounter?location.name=medical": "ann-stay",
    "Encounter?location.name=Surgical": "bob-stay",
    "Observation?encounter.location.name=Surgical": "bob-hr bob-bp",
    "Observation?subject:Patient.gender=female": "ann-hr ann-lac",
    "Observation?patient.identifier=urn:mrn|17": "ann-hr ann-lac",
    "Patient?_has:Encounter:patient:status=finished": "bob",
    "Location?_has:Encounter:location:class=ACUTE": "er micu",
    "Patient?organization.name=house": "ann",
    # string
    "Location?name=médical icu": "micu",
    "Location?name=MICU": "",
    "Location?name:contains=micu": "micu",
    "Location?name=ward": "micu",
    "Location?name:exact=Surgical ICU": "sicu",
    "Location?name:exact=surgical icu": "",
    "Patient?name=mull": "ann",
    "Patient?given=eve": "ann",
    "Patient?family=strasse": "",
    # dates of a moment
    "Observation?date=ge2026-01-02": "ann-hr ann-lac",
    "Observation?date=2026-01-02": "ann-hr ann-lac",
    "Observation?date=2025-12-02": "bob-hr bob-bp",
    "Observation?date=ge2026-01-02T06:30:00Z": "ann-lac",
    "Observation?date=gt2026-01-02T06:30:00.250Z": "",
    "Observation?date=ge2026-01-02T01:30:00-05:00": "ann-lac",
    "Observation?date=ge2026-01-02T06:30:00.000+00:00": "ann-lac",
    "Observation?date=le2026-01-02T03:00:00Z&date=gt2025-12-31": "ann-hr",
    "Observation?date=lt2026-01-02T03:00:00Z": "bob-hr bob-bp",
    "Observation?date=2025-12": "bob-hr bob-bp",
    "Observation?date=ne2025": "ann-hr ann-lac",
    "Observation?date=sa2025-12-02": "ann-hr ann-lac",
    "Observation?date=eb2026": "bob-hr bob-bp",
    "Patient?birthdate=1950": "ann bob",
    "Patient?birthdate=lt1950-07": "ann",
    # dates of a Period, also an open one
    "Encounter?date=ge2026-01-02": "ann-stay",
    "Encounter?date=ge2099": "ann-stay",
    "Encounter?date=ge2025-12-24T12:00:00Z": "ann-stay bob-stay",
    "Encounter?date=ge2025-12-24T12:00:01Z": "ann-stay",
    "Encounter?date=le2025-12-10": "bob-stay",
    "Encounter?date=ge2025-12-10&date=le2026-01-02T01:00:00Z": "ann-stay bob-stay",
    "Encounter?date=le2026-01-02T00:59:59Z": "bob-stay",
    "Encounter?date=2025": "bob-stay",
    "Encounter?_lastUpdated=ge2020": "ann-stay bob-stay",
    "Encounter?_lastUpdated=ge2999": "",
    # numbers
    "RiskAssessment?probability=gt0.3": "ann-risk",
    "RiskAssessment?probability=gt0.9": "",
    "RiskAssessment?probability=ge0.9": "ann-risk",
    "RiskAssessment?probability=lt0.3": "",
    "RiskAssessment?probability=0.3": "ann-risk",
    "RiskAssessment?probability=0.30": "",
    "Observation?value-quantity=gt100": "ann-hr",
    "Observation?value-quantity=2.0": "ann-lac",
    "Observation?value-quantity=lt100|http://unitsofmeasure.org|/min": "bob-hr",
    "Observation?value-quantity=lt100||mmol/L": "ann-lac",
    "Observation?value-quantity:missing=true": "bob-bp",
    # together
    "Observation?patient=ann,bob&code=8867-4,2524-7&date=ge2026-01-01&date=le2026-01-03": "ann-hr ann-lac",
}


@pytest.mark.parametrize("query", FOUND)
def test_a_search_finds_exactly_the_expected_ids(fhir: Any, query: str) -> None:
    assert fhir.ids(query.replace("{base}", fhir.server.base_url)) == set(FOUND[query].split())


def test_a_posted_search_gives_the_same_result(fhir: Any) -> None:
    url = f"{fhir.server.base_url}/Observation/_search?patient=ann"
    posted = fhir.session.post(url, data={"code": "8867-4,2524-7", "date": "ge2026-01-02T06:30:00+00:00"}, timeout=30)
    assert [entry["resource"]["id"] for entry in posted.json()["entry"]] == ["ann-lac"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("date", "bob-hr bob-bp ann-hr ann-lac"),
        ("-date", "ann-lac ann-hr bob-bp bob-hr"),
        ("-value-quantity,date", "ann-hr bob-hr ann-lac bob-bp"),
        ("_id", "ann-hr ann-lac bob-bp bob-hr"),
        ("-_lastUpdated,_id", "bob-bp bob-hr ann-lac ann-hr"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 50])
def test_matches_are_sorted_as_requested_on_pages_of_any_size(fhir: Any, order: str, expected: str, count: int) -> None:
    page, found = fhir.search(f"Observation?_sort={order}&_count={count}"), []
    while True:
        assert page["total"] == 4
        found += [entry["resource"]["id"] for entry in page["entry"]]
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not following:
            break
        page = fhir.session.get(following[0], timeout=30).json()
    assert found == expected.split()


def _included(bundle: dict[str, Any]) -> list[str]:
    entries = [entry for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    return sorted(f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Encounter?_include=Encounter:patient", ["Patient/ann", "Patient/bob"]),
        ("Encounter?status=finished&_include=Encounter:subject:Patient", ["Patient/bob"]),
        ("Encounter?_include=Encounter:subject:Group", []),
        ("Encounter?status=finished&_include=Encounter:*", ["Location/er", "Location/sicu", "Patient/bob"]),
        ("Encounter?status=finished&_revinclude=Observation:encounter", ["Observation/bob-bp", "Observation/bob-hr"]),
        ("Patient?_id=ann&_revinclude=Encounter:patient", ["Encounter/ann-stay"]),
        ("RiskAssessment?_revinclude=Provenance:target", ["Provenance/ann-provenance"]),
    ],
)
def test_included_resources_appear_once(fhir: Any, query: str, expected: list[str]) -> None:
    assert _included(fhir.search(query)) == expected


def test_a_summary_of_counts_has_no_entries(fhir: Any) -> None:
    assert "entry" not in (counted := fhir.search("Observation?_summary=count"))
    assert counted["total"] == 4
    assert fhir.search("Observation?patient=bob&_count=0")["total"] == 2


def test_a_total_can_be_declined(fhir: Any) -> None:
    assert "total" not in fhir.search("Observation?_total=none")
    assert fhir.search("Observation?_total=accurate&_count=1")["total"] == 4


def test_elements_and_summaries_are_marked_as_partial(fhir: Any) -> None:
    part = fhir.search("Observation?_id=ann-hr&_elements=value")["entry"][0]["resource"]
    assert set(part) == {"resourceType", "id", "meta", "status", "code", "valueQuantity"}
    assert part["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert "location" not in fhir.search("Encounter?_summary=true")["entry"][0]["resource"]
    assert "location" in fhir.search("Encounter?_summary=data")["entry"][0]["resource"]


def test_an_unknown_parameter_is_ignored_with_a_warning_or_refused_when_strict(fhir: Any) -> None:
    bundle = fhir.search("Patient?shoe-size=42")
    outcomes = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert bundle["total"] == 2
    assert outcomes[0]["issue"][0]["severity"] == "warning"
    assert "42" not in outcomes[0]["issue"][0]["diagnostics"]
    assert fhir.send("GET", "Patient?shoe-size=42", Prefer="handling=strict").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "Observation?date=yesterday",
        "Observation?date=ge2026-13-01",
        "RiskAssessment?probability=gtmuch",
        "Observation?_count=many",
        "Observation?_sort=code",
        "Observation?_summary=some",
        "Observation?code:above=x",
        "Observation?status.name=x",
        "Encounter?location.colour=x",
        "Encounter?_include=Encounter",
        "Patient?_has:Encounter:status:class=x",
        "Patient?active:missing=perhaps",
        "Observation?_page=xyz",
    ],
)
def test_a_value_without_meaning_is_refused(fhir: Any, query: str) -> None:
    answer = fhir.send("GET", query)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_search_may_name_very_many_values(fhir: Any) -> None:
    form = {
        "patient": ",".join(["ann", *(f"p{number}" for number in range(5000))]),
        "code": ",".join(["x"] * 2000 + ["8867-4"]),
    }
    form["date"] = ",".join(["ge2026"] * 1500)
    form["_id"] = ",".join(["ann-hr"] * 2000)
    answer = fhir.session.post(f"{fhir.server.base_url}/Observation/_search", data=form, timeout=30)
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == ["ann-hr"]
