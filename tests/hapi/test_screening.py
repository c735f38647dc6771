"""The screening of HAPI FHIR's JPA server, on H2 and on PostgreSQL."""

from dataclasses import replace

import pytest
from tests.hapi.screening import recognised, results, scores_of, screened, stays_of

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

pytestmark = pytest.mark.hapi


def test_it_is_screened_and_a_second_time_changes_nothing(source, settings, as_of) -> None:
    first = screened(source, settings, as_of)
    risks, provenances = results(source, as_of)

    again = screened(source, settings, as_of)

    assert 0 < first["scored"] == first["written"] == len(risks) == len(provenances)
    assert {one["meta"]["versionId"] for one in (*risks, *provenances)} == {"1"}
    assert (again["unchanged"], again["written"]) == (first["written"], first["written"])
    assert results(source, as_of) == (risks, provenances)


def test_it_gives_the_scores_that_the_embedded_server_gives(source, ward, settings, as_of) -> None:
    screened(source, settings, as_of)
    with running_server(data=ward) as server:
        embedded = FhirEndpoint(server.base_url)
        screened(embedded, settings, as_of)
        expected = scores_of(results(embedded, as_of)[0])
    assert scores_of(results(source, as_of)[0]) == expected


def test_a_unit_is_found_by_its_name_and_by_its_id(source, settings, as_of) -> None:
    with FhirClient(source) as client:
        units = {str(one["id"]): str(one["name"]) for one in client.search("Location", {})}
        (unit, name), *_ = sorted(
            (item for item in units.items() if "Intensive Care" in item[1]),
            key=lambda item: len(list(client.search("Encounter", {"location": [item[0]], "class": "ACUTE"}))),
            reverse=True,
        )
    by_id = screened(replace(source, icu_locations=(f"Location/{unit}",), icu_classes=()), settings, as_of)
    by_name = screened(replace(source, icu_locations=(name,), icu_classes=()), settings, as_of)
    assert by_name["scored"] == by_id["scored"] == by_name["unchanged"] > 0


def test_two_results_of_one_stay_are_repaired(source, settings, as_of) -> None:
    """HAPI's concurrent conditional updates can leave two; here a plain create does."""
    screened(source, settings, as_of)
    (one, *_), _ = results(source, as_of)
    with FhirClient(source) as client:
        twin = {name: value for name, value in one.items() if name not in ("id", "meta")}
        (answer,) = client.batch([{"resource": twin, "request": {"method": "POST", "url": "RiskAssessment"}}], False)
        assert answer["response"]["status"] == "201 Created"

    again = screened(source, settings, as_of)

    risks, provenances = results(source, as_of)
    assert again["repaired"] == 1
    assert len(set(stays_of(risks))) == len(risks) == len(provenances) == again["written"]


def test_it_is_recognised(server) -> None:
    assert recognised(server.base_url).profile.id == "hapi"
