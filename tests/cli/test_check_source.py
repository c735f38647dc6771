"""Tests that `wardround check-source` prints what it found, and succeeds only if it left nothing behind."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from wardround.cli.check_source import command
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirError, SpecError


@pytest.fixture(scope="module")
def running() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


def run(server: RunningServer, *options: str):
    return CliRunner().invoke(command, [server.base_url, *options])


def test_json_is_one_object_with_profile_findings_and_plan(running) -> None:
    result = run(running, "--json", "--write")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["profile"] == "wardround"
    assert found["plan"]
    assert {finding["outcome"] for finding in found["findings"]} <= {"works", "unproven"}


def test_a_table_says_which_profile_fits_and_why(running) -> None:
    output = run(running).output
    assert "Profile wardround (Wardround was run against it): CapabilityStatement.software.name says" in output
    assert "Writes RiskAssessments by conditional update, in batches of 100." in output


def test_the_server_can_be_compared_with_another_profile_and_differences_are_printed_as_yaml(running, icu) -> None:
    icu.stay("a")
    icu.upload(running.base_url)
    output = run(running, "--profile", "oracle").output
    assert "Profile oracle (from documentation only): it was chosen by name." in output
    assert "encounter_needs_patient: false" in output
    assert "encounter_by: [class, type, location, date, status]" in output


def test_an_unknown_profile_names_the_known_ones(running) -> None:
    assert isinstance(run(running, "--profile", "oracel").exception, SpecError)


def test_a_test_resource_that_is_not_removed_is_an_error(running) -> None:
    running.misbehave(FaultPlan(faults=(Fault(kind="status", status=405, methods=("DELETE",)),)))
    result = run(running, "--write")
    running.misbehave(FaultPlan())
    assert isinstance(result.exception, FhirError)
    assert "the test resource was not removed, RiskAssessment/" in str(result.exception)


def test_a_source_whose_results_go_elsewhere_is_checked_with_the_server_that_takes_them(running) -> None:
    with running_server() as results:
        named = {"EHR_BASE_URL": running.base_url, "EHR_WRITE_TO": results.base_url}
        checked = CliRunner(env=named).invoke(command, ["ehr", "--write"])
        as_json = CliRunner(env=named).invoke(command, ["ehr", "--json"])
    assert checked.exit_code == 0, checked.output
    assert f"Results go to {results.base_url}:" in checked.output
    assert (
        "Writes nothing here; results refer to Patients and Encounters by their identifiers on this"
        " server." in checked.output
    )
    assert json.loads(as_json.output)["results"]["server"] == results.base_url
