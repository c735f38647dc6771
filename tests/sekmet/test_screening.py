"""The screening against a FHIR server that others wrote."""

from dataclasses import replace

import pytest

from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import settings_from
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen
from wardround.workflows.seed import seed

pytestmark = pytest.mark.slow


@pytest.fixture
def ward_at(simulated_ward, sekmet_server):
    """The server's source, with the simulated ward in it."""
    source = FhirEndpoint(sekmet_server)
    with FhirClient(source) as client:
        seeded = seed(client, simulated_ward.fhir, print)
    assert seeded.skipped == {}
    return source


@pytest.fixture
def settings(trained_models, tmp_path):
    return replace(settings_from(), runs=str(tmp_path / "runs"), models=trained_models)


def screened(source, settings, now, **request):
    request = ScreeningRequest(condition="sepsis", source_url=source.base_url, as_of=now, chunk_size=3, **request)
    summary = screen(request, Means(source, settings, print)).as_json()
    require_complete(summary["run"], settings)
    return summary


def held(source, resource_type):
    with FhirClient(source) as client:
        return {resource["id"]: resource for resource in client.search(resource_type, {})}


def test_it_is_screened_and_a_second_time_changes_nothing(ward_at, settings, simulated_ward):
    first = screened(ward_at, settings, simulated_ward.now)
    risks, provenance = held(ward_at, "RiskAssessment"), held(ward_at, "Provenance")

    again = screened(ward_at, settings, simulated_ward.now)

    assert 0 < first["scored"] == first["written"] == len(risks) == len(provenance)
    assert again["unchanged"] == first["written"]
    assert held(ward_at, "RiskAssessment") == risks
    assert held(ward_at, "Provenance") == provenance


def test_it_gives_the_scores_that_the_embedded_server_gives(ward_at, settings, simulated_ward):
    from wardround.demo.fhir_server.running import running_server

    screened(ward_at, settings, simulated_ward.now)
    with running_server(data=simulated_ward.fhir) as server:
        embedded = FhirEndpoint(server.base_url)
        screened(embedded, settings, simulated_ward.now)
        expected = held(embedded, "RiskAssessment")

    assert scores(held(ward_at, "RiskAssessment")) == scores(expected)


def scores(resources):
    return {
        resource["encounter"]["reference"]: resource["prediction"][0]["probabilityDecimal"]
        for resource in resources.values()
    }


def test_its_bulk_export_gives_the_scores_that_searches_give(ward_at, settings, simulated_ward):
    searched = screened(ward_at, settings, simulated_ward.now)
    exported = screened(ward_at, settings, simulated_ward.now, cohort="export")

    assert exported["unchanged"] == exported["written"] == searched["written"] > 0
    assert exported["found"] == searched["found"]
