"""What is written to a server that others wrote: its limits, its own ids, and nothing twice."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM
from wardround.settings import PROJECT
from wardround.spec.loading import load_server_profile
from wardround.workflows import screen

pytestmark = pytest.mark.slow

STAYS = 20
PROFILE = load_server_profile("medplum", PROJECT / "include" / "schemas")


@pytest.fixture
def client(medplum):
    # A busy machine takes long for a batch of 100, and what is asked again is no longer one request.
    with FhirClient(FhirEndpoint(medplum, profile=PROFILE, timeout=300)) as client:
        yield client


@pytest.fixture
def published(icu, client, settings) -> Callable[..., dict[str, Any]]:
    """published() reads and scores a ward on the embedded server, publishes to Medplum's, and gives the summary.

    Medplum's repository in memory knows too few searches to be read from.
    """

    def run_it() -> dict[str, Any]:
        asked = {"condition": "sepsis", "source_url": client.source.base_url, "as_of": "2026-01-02T05:00:00Z"}
        request = screen.ScreeningRequest.model_validate({**asked, "chunk_size": STAYS})
        run = screen.open_run(request, settings)
        with running_server() as embedded, FhirClient(FhirEndpoint(embedded.base_url)) as reader:
            icu.upload(embedded.base_url)
            (chunk,) = screen.find_stays(run, reader, settings)
            screen.extract(run, chunk, reader, settings)
        put(client, [one for one in icu.resources if one["resourceType"] in ("Encounter", "Patient")])
        screen.check_quality(run, settings)
        screen.score(run, chunk, settings)
        before = client.requests_made
        screen.publish(run, chunk, client, settings)
        summary = screen.reconcile(run, client, settings).as_json()
        return {**summary, "requests": client.requests_made - before}

    return run_it


def put(client: FhirClient, resources: list[dict[str, Any]]) -> None:
    """Stores what is looked at again before a score is written, under its own ids."""
    requests_of = ({"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"} for one in resources)
    entries = [{"resource": one, "request": request} for one, request in zip(resources, requests_of, strict=True)]
    assert {answer["response"]["status"][:1] for answer in client.batch(entries)} == {"2"}


def held(client: FhirClient, resource_type: str) -> dict[str, dict[str, Any]]:
    return {resource["id"]: resource for resource in client.search(resource_type, {})}


def conditional_puts(count: int) -> list[dict[str, Any]]:
    return [
        {
            "resource": {
                "resourceType": "RiskAssessment",
                "status": "final",
                "subject": {"reference": "Patient/p"},
                "identifier": [{"system": IDENTIFIER_SYSTEM, "value": str(number)}],
            },
            "request": {"method": "PUT", "url": f"RiskAssessment?identifier={IDENTIFIER_SYSTEM}|{number}"},
        }
        for number in range(count)
    ]


@pytest.mark.parametrize(("entries", "status"), [(8, 200), (9, 400)])
def test_its_transactions_hold_8_conditional_writes_as_the_profile_says(medplum, entries: int, status: int) -> None:
    assert PROFILE.transaction_entries == 8
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": conditional_puts(entries)}
    assert requests.post(medplum, json=bundle, timeout=30).status_code == status


def test_its_batches_hold_any_number(client) -> None:
    answers = client.batch(conditional_puts(100))
    assert client.requests_made == 1
    assert {answer["response"]["status"] for answer in answers} == {"201"}


def test_everything_is_written_under_its_own_ids_and_a_second_time_changes_nothing(icu, client, published) -> None:
    for number in range(STAYS):
        icu.stay(f"s{number:02}", lactate=1.0 + number / 4)
    first = published()
    assert (first["scored"], first["written"], first["failed"]) == (STAYS, STAYS, 0)
    assert first["requests"] < 12, "written in batches, and not one by one"
    risks, provenance, devices = (held(client, name) for name in ("RiskAssessment", "Provenance", "Device"))
    assert (len(risks), len(provenance), len(devices)) == (STAYS, STAYS, 1)
    assert all(uuid.UUID(name).version == 4 for name in (*risks, *provenance, *devices))
    assert {one["target"][0]["reference"] for one in provenance.values()} == {
        f"RiskAssessment/{name}" for name in risks
    }
    (device,) = devices
    assert {risk["performer"]["reference"] for risk in risks.values()} == {f"Device/{device}"}

    again = published()

    assert (again["unchanged"], again["written"], again["failed"]) == (STAYS, STAYS, 0)
    assert held(client, "RiskAssessment") == risks
    assert held(client, "Provenance") == provenance


def test_a_changed_score_amends_and_doubles_are_mended_under_its_own_ids(icu, client, published) -> None:
    icu.stay("a", lactate=1.0)
    icu.stay("b", lactate=1.0)
    published()
    double = next(
        risk for risk in held(client, "RiskAssessment").values() if risk["encounter"]["reference"] == "Encounter/e-a"
    )
    copy = {key: value for key, value in double.items() if key not in ("id", "meta")}
    client.batch([{"resource": copy, "request": {"method": "POST", "url": "RiskAssessment"}}])
    icu.lactate("p-b", "late", 6.0, hours=0.5)

    summary = published()

    assert (summary["written"], summary["failed"], summary["repaired"]) == (2, 0, 1)
    standing = [
        (risk["encounter"]["reference"], risk["status"])
        for risk in held(client, "RiskAssessment").values()
        if risk["status"] != "entered-in-error"
    ]
    assert sorted(standing) == [("Encounter/e-a", "final"), ("Encounter/e-b", "amended")]
    assert len(held(client, "RiskAssessment")) == 3
