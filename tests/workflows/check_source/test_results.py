"""A source whose results go to another server: that one is asked whether it takes them, and the source is only read."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.loopback import Line, serving

from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirUnreachable
from wardround.fhir.client import FhirEndpoint
from wardround.spec.loading import load_server_profiles
from wardround.workflows.check_source import SourceCheck, check_source


@pytest.fixture(scope="module")
def taking() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def checked(ward: str, taking: RunningServer, schemas):
    profiles = load_server_profiles(schemas)

    def run(write: bool = False, mapped: bool = False, **taker: Any) -> SourceCheck:
        results = FhirEndpoint(**{"base_url": taking.base_url, "recognise": True, "retries": 0, **taker})
        source = FhirEndpoint(ward, write_to=results, map_by_identifier=mapped)
        return check_source(source, profiles, write=write)

    return run


def outcomes(found: SourceCheck) -> dict[str, str]:
    assert found.results is not None
    return {finding.question: finding.outcome for finding in found.results.findings}


def test_writes_are_tried_where_results_go_and_nowhere_else(checked, taking, assessments) -> None:
    taking.forget_requests()
    found = checked(write=True)
    assert outcomes(found)["a conditional update in a batch"] == "works"
    assert not [row.question for row in found.findings if "conditional" in row.question]
    assert (found.results.profile, found.results.declares, found.results.differences) == ("wardround", True, {})
    assert found.problems == ()
    assert taking.requests()["DELETE RiskAssessment/{id}"] == 1
    assert assessments() == []
    assert f"Writes RiskAssessments by conditional update, in batches of 100, to {taking.base_url}." in found.plan
    assert any("Patients and Encounters by their identifiers on this server" in sentence for sentence in found.plan)


def test_without_leave_nothing_is_written_anywhere(checked, taking) -> None:
    taking.forget_requests()
    assert outcomes(checked()) == {"metadata": "works"}
    assert set(taking.requests()) == {"GET metadata"}


def test_a_server_that_takes_no_write_is_a_problem_that_names_it(checked, taking) -> None:
    refusing = (Fault(kind="status", status=405, methods=("PUT", "POST")),)
    taking.misbehave(FaultPlan(faults=refusing))
    try:
        found = checked(write=True)
    finally:
        taking.misbehave(FaultPlan())
    assert f"{taking.base_url}: it accepts no RiskAssessment; check the permissions, or screen in shadow mode only" in (
        found.problems
    )


def test_a_server_that_says_it_takes_none_is_a_problem_before_anything_is_tried(checked, script) -> None:
    found = checked(base_url=script)
    assert found.results.declares is False
    assert found.problems == (
        f"{script}: it accepts no RiskAssessment according to its CapabilityStatement;"
        " write the results to another server",
    )


def test_mapping_needs_patients_and_stays_that_are_found_by_identifier(checked, taking, script) -> None:
    found = checked(mapped=True)
    assert outcomes(found) == dict.fromkeys(("metadata", "Patient by identifier", "Encounter by identifier"), "works")
    assert any("that server's own Patients and Encounters, found by identifier" in sentence for sentence in found.plan)
    wrong = checked(mapped=True, base_url=script)
    assert f"{script}: Patients are not found by identifier (ignored); unset map_by_identifier" in wrong.problems


def test_a_server_of_results_that_is_down_is_named(checked) -> None:
    with pytest.raises(FhirUnreachable, match=r"127\.0\.0\.1:9"):
        checked(base_url="http://127.0.0.1:9/fhir")


@pytest.fixture
def script() -> Iterator[str]:
    """A server that lists Patients alone, and answers every search with one."""
    resources = [{"type": "Patient", "interaction": [{"code": "read"}]}]
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"resource": resources}]}

    def answer(line: Line) -> None:
        kind = line.path.split("?")[0].rpartition("/")[2]
        found = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": kind, "id": "x"}}]}
        line.say(statement if kind == "metadata" else found)

    with serving(answer) as url:
        yield url
