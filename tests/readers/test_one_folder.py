"""Tests a folder of all kinds of files: features, seed and fhir-server take the same resources from it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from tests.readers.odd import AS_OF

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.sources.fhir.server import FhirServerSource
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.conditions import Condition
from wardround.workflows.features import build_table
from wardround.workflows.seed import seed

Resource = dict[str, Any]
ICU = Encounters(classes=("ACUTE",))
BEGAN, MEASURED = (AS_OF - pd.Timedelta(hours=hours) for hours in (30, 2))
OLD, NEW = ({"lastUpdated": f"2026-01-0{day}T00:00:00Z"} for day in (1, 2))
UUIDS = [f"urn:uuid:0c2243d2-987b-5cbd-8eb1-170a8064769{digit}" for digit in range(9)]


def of_patient(key: str, subject: str, rates: dict[str, float]) -> list[Resource]:
    """Returns a Patient, a stay, and an Observation for each id and heart rate."""
    reference = {"subject": {"reference": subject}}
    patient = {"resourceType": "Patient", "id": key, "birthDate": "1950-01-01", "gender": "female"}
    stay = {
        **{"resourceType": "Encounter", "id": f"stay-{key}", "status": "in-progress", "class": {"code": "ACUTE"}},
        **{"period": {"start": BEGAN.isoformat()}, **reference},
    }
    return [patient, stay, *(rate(name, value, subject) for name, value in rates.items())]


def rate(key: str, value: float, subject: str, **more: Any) -> Resource:
    coding = [{"system": "http://loinc.org", "code": "8867-4"}]
    measured = {"value": value, "system": "http://unitsofmeasure.org", "code": "/min"}
    return {
        **{"resourceType": "Observation", "id": key, "status": "final", "code": {"coding": coding}},
        **{"subject": {"reference": subject}, "effectiveDateTime": MEASURED.isoformat(), "valueQuantity": measured},
        **more,
    }


def transaction(*resources: Resource) -> Resource:
    """Returns resources that differ only in their urn, the first of them a Patient."""
    entries = []
    for url, resource in zip(UUIDS, resources, strict=False):
        bare = {key: value for key, value in resource.items() if key != "id"}
        asked = {"method": "POST", "url": resource["resourceType"]}
        entries.append({"fullUrl": url, "resource": bare, "request": asked})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def searchset(*resources: Resource) -> Resource:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("folder")

    def write(name: str, *resources: Resource) -> None:
        (made / name).parent.mkdir(exist_ok=True)
        text = "\n".join(json.dumps(one) for one in resources).encode()
        (made / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    patient, stay, *rates = of_patient("a", "Patient/a", {"a1": 80, "a2": 90, "a3": 100})
    write("1/Patient.ndjson.gz", patient)
    write("1/Encounter.ndjson", stay)
    write("1/Observation.ndjson", *rates, rate("a2", 95, "Patient/a", meta=NEW), rate("a4", 200, "Patient/a"))
    write("2/Observation.ndjson", {**rates[1], "meta": OLD}, rate("a1", 85, "Patient/a", meta=NEW))
    gone = {"method": "DELETE", "url": "Observation/a4"}
    write("deleted/Observation.ndjson", {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": gone}]})
    write("error.ndjson", {"resourceType": "OperationOutcome", "issue": []})
    write("log.ndjson", {"eventId": "kickoff"})
    write("b.json", transaction(*of_patient("b", UUIDS[0], {"b1": 110, "b2": 120})))
    patient, *rest = of_patient("c", "Patient/c", {"c1": 130})
    write("c_patient.json", {"patient": patient, "none": None, "rest": searchset(*rest)})
    write("d.json", rate("c2", 140, "Patient/c", performer=[{"reference": "urn:uuid:nobody"}]))
    write("e.json", searchset(rate("c3", 150, "Patient/c", performer=[{"reference": "urn:uuid:nobody"}])))
    return made


def stored(server: str) -> dict[str, Resource]:
    """Returns everything that the server has, without the metadata that it adds."""
    found = {}
    for kind in ("Patient", "Encounter", "Observation"):
        for entry in requests.get(f"{server}/{kind}?_count=1000", timeout=60).json()["entry"]:
            one = entry["resource"]
            found[f"{kind}/{one['id']}"] = {key: value for key, value in one.items() if key != "meta"}
    return found


def of_server(url: str, sepsis: Condition) -> pd.DataFrame:
    with FhirClient(FhirEndpoint(url)) as client:
        return build_table(FhirServerSource(client, ICU), sepsis, AS_OF).features


def test_every_reader_takes_the_same_resources_from_it(folder: Path, sepsis: Condition) -> None:
    source = FhirFolderSource(folder, ICU)
    features = build_table(source, sepsis, AS_OF).features
    with running_server(data=folder) as loaded, running_server() as filled:
        with FhirClient(FhirEndpoint(filled.base_url)) as client:
            seeded = seed(client, folder, lambda *_: None)
        kept = stored(loaded.base_url)
        assert kept == stored(filled.base_url)
        for url in (loaded.base_url, filled.base_url):
            pd.testing.assert_frame_equal(features, of_server(url, sepsis), check_dtype=False)
    values = {key: one["valueQuantity"]["value"] for key, one in kept.items() if key.startswith("Observation/")}
    uuids = [url.removeprefix("urn:uuid:") for url in UUIDS]
    rates = {"a1": 85, "a2": 95, "a3": 100, uuids[2]: 110, uuids[3]: 120, "c1": 130, "c2": 140, "c3": 150}
    assert values == {f"Observation/{key}": value for key, value in rates.items()}
    assert features["heart_rate__max_24h"].tolist() == [120, 100, 150]
    assert seeded.written == {"Encounter": 3, "Observation": 8, "Patient": 3}
    for account in (seeded.beside, source.folder.account):
        assert account.passed_over == ["log.ndjson"]
        assert account.counts == {
            **{"resources_deleted": 1, "operation_outcomes": 1, "references_unresolved": 1, "files_passed_over": 1}
        }
