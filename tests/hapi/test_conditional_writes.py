"""Which of HAPI's conditional writes keep their word when writers are at it at once, and what screenings make of it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest
from tests.hapi.screening import results, screened, stays_of

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import status_of

pytestmark = pytest.mark.hapi

T = TypeVar("T")
WRITERS, ROUNDS = 6, 6
SYSTEM = "urn:wardround:tests"


def at_once(work: Callable[[int], T], number: int) -> list[T]:
    """Returns the results of `number` threads that begin at the same moment."""
    start = threading.Barrier(number)

    def one(place: int) -> T:
        start.wait()
        return work(place)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def risk(patient: str, key: str, score: float) -> Resource:
    return {
        "resourceType": "RiskAssessment",
        "status": "final",
        "identifier": [{"system": SYSTEM, "value": key}],
        "subject": {"reference": f"Patient/{patient}"},
        "prediction": [{"probabilityDecimal": score}],
        "occurrenceDateTime": "2026-01-01T00:00:00Z",
    }


def with_key(source: FhirEndpoint, key: str) -> list[Resource]:
    with FhirClient(source) as client:
        return list(client.search("RiskAssessment", {"identifier": [f"{SYSTEM}|{key}"]}))


@pytest.fixture
def patient(source: FhirEndpoint) -> str:
    with FhirClient(source) as client:
        return str(next(client.search("Patient", {}))["id"])


def test_conditional_creates_at_once_leave_one_resource(source, patient, as_of) -> None:
    def create(place: int) -> int | None:
        request = {"method": "POST", "url": "RiskAssessment", "ifNoneExist": f"identifier={SYSTEM}|{key}"}
        with FhirClient(source) as client:
            (answer,) = client.batch([{"resource": risk(patient, key, place / 10), "request": request}], repeat=False)
        return status_of(answer)

    for number in range(ROUNDS):
        key = f"{as_of}-{number}"
        answers = at_once(create, WRITERS)
        assert answers.count(201) == 1
        assert set(answers) <= {200, 201, 409}
        assert len(with_key(source, key)) == 1


def test_an_update_of_what_another_changed_is_refused(source, patient, as_of) -> None:
    entry = {"resource": risk(patient, as_of, 0.1), "request": {"method": "POST", "url": "RiskAssessment"}}
    with FhirClient(source) as client:
        client.batch([entry], repeat=False)
        (there,) = with_key(source, as_of)
        changed = {**there, "status": "amended"}
        request = {"method": "PUT", "url": f"RiskAssessment/{there['id']}", "ifMatch": 'W/"1"'}
        answers = [client.batch([{"resource": changed, "request": request}]) for _ in range(2)]
    assert [status_of(answer) for (answer,) in answers] == [200, 409]
    assert [one["status"] for one in with_key(source, as_of)] == ["amended"]


def test_screenings_on_two_machines_at_once_leave_one_result_for_each_stay(source, settings, as_of, tmp_path) -> None:
    """Machines that share no folder cannot take turns: the server's conditional writes alone keep them apart."""
    machines = [replace(settings, var=tmp_path / name, runs=str(tmp_path / name / "runs")) for name in "ab"]

    both = at_once(lambda place: screened(source, machines[place], as_of), len(machines))

    risks, provenances = results(source, as_of)
    assert {summary["written"] for summary in both} == {len(risks)}
    assert len(set(stays_of(risks))) == len(risks) == len(provenances)
    assert sum(summary["repaired"] for summary in both) == 0


def test_a_refused_result_fails_its_stay_and_no_other(source, patient, as_of) -> None:
    """A result of a Patient that the server does not hold, between two that it takes."""
    entries = [
        {
            "resource": risk(who, f"{as_of}-{number}", 0.1),
            "request": {"method": "PUT", "url": f"RiskAssessment?identifier={SYSTEM}|{as_of}-{number}"},
        }
        for number, who in enumerate((patient, "nobody", patient))
    ]
    with FhirClient(source) as client:
        assert [status_of(answer) for answer in client.batch(entries)] == [201, 400, 201]


def test_a_code_that_fhir_does_not_know_fails_its_entry_and_no_other(source, patient, as_of) -> None:
    """HAPI refuses the whole batch then, which is sent again in halves."""
    resources = [risk(patient, f"{as_of}-{number}", 0.1) for number in range(3)]
    resources[1]["status"] = "nonsense"
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"RiskAssessment?identifier={SYSTEM}|{as_of}-{number}"}}
        for number, one in enumerate(resources)
    ]
    with FhirClient(source) as client:
        assert [status_of(answer) for answer in client.batch(entries)] == [201, 400, 201]


@pytest.mark.parametrize("reference", ["Patient/{}", "{base}/Patient/{}", "https://elsewhere.test/fhir/Patient/{}"])
def test_only_a_relative_reference_is_taken(source, patient, as_of, reference) -> None:
    subject = {"reference": reference.format(patient, base=source.base_url)}
    entry = {
        "resource": {**risk(patient, as_of, 0.1), "subject": subject},
        "request": {"method": "POST", "url": "RiskAssessment"},
    }
    with FhirClient(source) as client:
        (answer,) = client.batch([entry], repeat=False)
    assert status_of(answer) == (201 if reference == "Patient/{}" else 400)
