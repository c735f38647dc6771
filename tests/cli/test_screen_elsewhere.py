"""Tests `wardround screen` and `wardround retract` with results on another server, given by name or by option."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wardround.cli import retract, screen
from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

NOWHERE = "http://127.0.0.1:9/fhir"


@pytest.fixture
def servers(icu) -> Iterator[tuple[Any, Any]]:
    """The source, with two stays, and an empty server for results."""
    with running_server() as source, running_server() as results:
        for name in ("a", "b"):
            icu.stay(name)
        icu.upload(source.base_url)
        source.forget_requests()
        yield source, results


@pytest.fixture
def call(settings, servers) -> Callable[..., Result]:
    source, results = servers
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    named = {f"WARDROUND_{name}": str(place) for name, place in places.items()}
    named |= {"EHR_BASE_URL": source.base_url, "RESULTS_BASE_URL": results.base_url}

    def run(command: Any, *options: str, **environment: str) -> Result:
        return CliRunner(env={**named, **environment}).invoke(command, options)

    return run


BEGIN = ("sepsis", "--as-of", "2026-01-02T05:00:00Z", "--json")


def statuses(server: Any) -> list[str]:
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        return [risk["status"] for risk in client.search("RiskAssessment", {})]


def test_resume_and_retract_find_where_a_named_sources_results_went(servers, call, settings) -> None:
    source, results = servers
    begun = call(screen.command, *BEGIN, "--source", "ehr", EHR_WRITE_TO="results")
    assert begun.exit_code == 0, begun.output
    summary = json.loads(begun.stdout)
    assert (summary["written"], summary["results_at"]) == (2, results.base_url)
    run = summary["run"]
    # Given by the name that the run keeps, and by the name of the source that refers to it.
    for reached in ((), ("--source", "ehr"), ("--write-to", results.base_url)):
        resumed = call(screen.command, "--resume", run, "--json", *reached)
        assert resumed.exit_code == 0, resumed.output
        assert json.loads(resumed.stdout)["unchanged"] == 2
    refused = call(screen.command, "--resume", run, "--write-to", NOWHERE)
    assert isinstance(refused.exception, FhirError)
    assert f"writes its results to {results.base_url}" in str(refused.exception)
    taken = call(retract.command, run, "--json")
    assert json.loads(taken.stdout)["retracted"] == 2
    assert (statuses(results), statuses(source)) == (["entered-in-error"] * 2, [])
    assert not [kind for kind in source.requests() if kind.startswith(("PUT", "DELETE", "POST /"))]


def test_an_option_sets_the_destination_of_one_run_and_retract_works_without_the_name(servers, call) -> None:
    source, results = servers
    begun = call(screen.command, *BEGIN, "--source", source.base_url, "--write-to", "results")
    run = json.loads(begun.stdout)["run"]
    taken = call(retract.command, run, "--json", RESULTS_BASE_URL="")
    assert taken.exit_code == 0, taken.output
    assert statuses(results) == ["entered-in-error"] * 2


def test_a_run_ends_as_unreachable_if_the_server_of_results_is_down_and_can_be_resumed(servers, call) -> None:
    source, _ = servers
    begun = call(screen.command, *BEGIN, "--source", "ehr", "--write-to", NOWHERE, WARDROUND_FHIR_RETRIES="1")
    assert isinstance(begun.exception, FhirUnreachable)
    assert "127.0.0.1:9" in str(begun.exception)
    assert statuses(source) == []


def test_a_resumed_run_keeps_how_its_results_refer_to_patients(servers, call) -> None:
    refused = call(screen.command, "--resume", "sepsis-20260102T050000Z-ffffff", "--map-by-identifier")
    assert refused.exit_code == 2
    assert "keeps the run's own map by identifier" in refused.output
