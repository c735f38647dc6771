"""Tests servers that declare conditional writes but do not perform them, with two runs or a person at once."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.promises.altered_writes import Bundle, WritesAltered, kinds, writes_altered

from wardround.adapters.files.run_folder import RunFolder
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, resume, screen

STAYS = 3
EACH_ONCE = [f"Encounter/e-s{place}" for place in range(STAYS)]
FIRST = EACH_ONCE[0]
LONG = 60  # seconds; what is waited for comes at once

Forward = Callable[[Bundle], Bundle]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def gateway(server: RunningServer) -> Iterator[WritesAltered]:
    with writes_altered(server.base_url) as gate:
        yield gate


@pytest.fixture
def ward(icu, server) -> Iterator[Any]:
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=1.0)
    icu.upload(server.base_url)
    yield icu
    server.misbehave(FaultPlan())
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        names = ("RiskAssessment", "Provenance", "Device", "Observation")
        kept = [f"{name}/{resource['id']}" for name in names for resource in client.search(name, {})]
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in kept])


Screened = Callable[..., dict[str, Any]]


@pytest.fixture
def screened(settings, ward, gateway) -> Screened:
    def run_it(**changes: Any) -> dict[str, Any]:
        asked = {"condition": "sepsis", "source_url": gateway.url, "as_of": "2026-01-02T05:00:00Z", "chunk_size": STAYS}
        request = ScreeningRequest.model_validate({**asked, **changes})
        return screen(request, Means(FhirEndpoint(gateway.url), settings, lambda *_: None)).as_json()

    return run_it


def bare(asked: Bundle) -> Bundle:
    """Returns the batch as a server sees it that ignores conditions."""

    def entry(one: dict[str, Any]) -> dict[str, Any]:
        method, url = one["request"]["method"], one["request"]["url"]
        plain = {"method": method, "url": url} if "?" not in url else {"method": "POST", "url": url.partition("?")[0]}
        return {**one, "request": plain}

    return {**asked, "entry": [entry(one) for one in asked["entry"]]}


def lying(asked: Bundle, forward: Forward) -> Bundle:
    return forward(bare(asked))


def honest(asked: Bundle, forward: Forward) -> Bundle:
    return forward(asked)


def resources(server: RunningServer, kind: str) -> list[dict[str, Any]]:
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        return list(client.search(kind, {}))


def standing(server: RunningServer) -> list[str]:
    """Returns the encounters of all valid RiskAssessments, each of which has one Provenance."""
    risks = [risk for risk in resources(server, "RiskAssessment") if risk["status"] != "entered-in-error"]
    targets = [each["target"][0]["reference"] for each in resources(server, "Provenance")]
    assert [targets.count(f"RiskAssessment/{risk['id']}") for risk in risks] == [1] * len(risks)
    assert len(resources(server, "Device")) == 1
    return sorted(risk["encounter"]["reference"] for risk in risks)


def of_first(server: RunningServer) -> list[tuple[str, str]]:
    """Returns the status and last note of what the server has for the first stay under our identifier."""
    return [
        (risk["status"], risk["note"][-1]["text"])
        for risk in resources(server, "RiskAssessment")
        if risk["encounter"]["reference"] == FIRST and risk["identifier"][0]["system"] == IDENTIFIER_SYSTEM
    ]


def take_back(server: RunningServer, risk: dict[str, Any]) -> None:
    """Marks a RiskAssessment as entered in error, as a person would, with a reason."""
    changed = {**risk, "status": "entered-in-error", "note": [*risk["note"], {"text": "not this patient"}]}
    request = {"method": "PUT", "url": f"RiskAssessment/{risk['id']}"}
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        (answer,) = client.batch([{"resource": changed, "request": request}])
    assert answer["response"]["status"].startswith("2")


def once(act: Callable[[Bundle, Forward], None], alter: Callable[[Bundle, Forward], Bundle]) -> Any:
    """Acts between the first read of the RiskAssessments and their write."""
    left = [act]

    def altered(asked: Bundle, forward: Forward) -> Bundle:
        if "RiskAssessment" in kinds(asked) and left:
            left.pop()(asked, forward)
        return alter(asked, forward)

    return altered


@pytest.mark.parametrize("server_keeps", [honest, lying], ids=["conditional", "bare"])
def test_two_runs_at_once_write_each_result_and_each_provenance_once(
    server, gateway, screened, caplog, server_keeps
) -> None:
    caplog.set_level("INFO")

    def until_the_other_waits(_asked: Bundle, _forward: Forward) -> None:
        deadline = time.monotonic() + LONG
        while "another run is writing the same results" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)

    gateway.alter = once(until_the_other_waits, server_keeps)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: screened(), range(2)))
    assert "another run is writing the same results" in caplog.text
    assert [(summary["written"], summary["failed"], summary["repaired"]) for summary in both] == [(STAYS, 0, 0)] * 2
    assert standing(server) == EACH_ONCE
    assert len(resources(server, "RiskAssessment")) == len(resources(server, "Provenance")) == STAYS


def test_an_answer_that_is_lost_leads_to_no_second_provenance(server, gateway, screened) -> None:
    lost: list[str] = []

    def lose(asked: Bundle, forward: Forward) -> Bundle | None:
        answer = forward(bare(asked))
        (kind,) = kinds(asked)
        if kind in lost:
            return answer
        lost.append(kind)
        return None

    gateway.alter = lose
    assert screened()["failed"] == 0
    assert lost == ["Device", "RiskAssessment", "Provenance"]
    assert standing(server) == EACH_ONCE


def ends_clean(summary: dict[str, Any], settings: Any) -> None:
    """Asserts that one stay was retracted: it is counted, nothing is missing, and the report says so."""
    assert (summary["scored"], summary["written"], summary["withdrawn"]) == (STAYS, STAYS - 1, 1)
    assert (summary["failed"], summary["complete"], summary["problems"]) == (0, True, {})
    require_complete(summary["run"], settings)
    folder = RunFolder.existing(settings.runs, summary["run"])
    ledger = folder.read_frame("ledger.parquet").set_index("stay_id")
    assert ledger.loc["e-s0", ["outcome", "reason", "written"]].tolist() == ["scored", "withdrawn", False]
    assert "entered in error by somebody else" in folder.read_text("report.html").lower()


@pytest.mark.parametrize("server_keeps", [honest, lying], ids=["conditional", "bare"])
def test_what_a_person_takes_back_between_our_look_and_our_update_stays_so(
    server, gateway, screened, settings, ward, server_keeps
) -> None:
    screened()
    for place in range(STAYS):
        ward.lactate(f"p-s{place}", "late", 6.0, hours=0.5)
    ward.upload(server.base_url)
    (risk,) = [one for one in resources(server, "RiskAssessment") if one["encounter"]["reference"] == FIRST]
    gateway.alter = once(lambda *_: take_back(server, risk), server_keeps)
    ends_clean(screened(), settings)
    assert of_first(server) == [("entered-in-error", "not this patient")]
    assert standing(server) == EACH_ONCE[1:]
    again = screened()
    ends_clean(again, settings)
    ends_clean(resume(again["run"], Means(FhirEndpoint(gateway.url), settings, lambda *_: None)).as_json(), settings)
    assert of_first(server) == [("entered-in-error", "not this patient")]


@pytest.mark.parametrize("server_keeps", [honest, lying], ids=["conditional", "bare"])
def test_what_a_person_takes_back_before_we_knew_of_it_stays_so(
    server, gateway, screened, settings, server_keeps
) -> None:
    def written_and_taken_back(asked: Bundle, forward: Forward) -> None:
        forward(bare({**asked, "entry": asked["entry"][:1]}))
        (risk,) = resources(server, "RiskAssessment")
        take_back(server, risk)

    gateway.alter = once(written_and_taken_back, server_keeps)
    summary = screened()
    (first,) = {risk["encounter"]["reference"] for risk in resources(server, "RiskAssessment")} - set(standing(server))
    assert first == FIRST
    ends_clean(summary, settings)
    assert of_first(server) == [("entered-in-error", "not this patient")]
    ends_clean(screened(), settings)


def test_what_a_person_takes_back_after_our_write_is_no_problem_of_the_run(server, gateway, screened, settings) -> None:
    def after_the_provenance(asked: Bundle, forward: Forward) -> Bundle:
        answer = forward(asked)
        if "Provenance" in kinds(asked):
            risks = resources(server, "RiskAssessment")
            take_back(server, next(risk for risk in risks if risk["encounter"]["reference"] == FIRST))
        return answer

    gateway.alter = after_the_provenance
    ends_clean(screened(), settings)


def test_on_a_server_without_history_the_last_write_wins(server, gateway, screened, ward) -> None:
    screened()
    ward.lactate("p-s0", "late", 6.0, hours=0.5)
    ward.upload(server.base_url)
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=403, path="/_history"),)))
    (risk,) = [one for one in resources(server, "RiskAssessment") if one["encounter"]["reference"] == FIRST]
    gateway.alter = once(lambda *_: take_back(server, risk), lying)
    assert screened()["failed"] == 0
