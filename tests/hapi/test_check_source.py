"""What `check-source` finds out about HAPI FHIR, and that its profile says the same."""

import pytest

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.loading import load_server_profiles
from wardround.workflows.check_source import check_source

pytestmark = pytest.mark.hapi


def test_it_can_all_that_its_profile_promises_and_nothing_is_left_there(source, schemas) -> None:
    found = check_source(FhirEndpoint(source.base_url), load_server_profiles(schemas), write=True)
    assert (found.profile, found.differences, found.problems) == ("hapi", {}, ())
    others = {row.question: row.detail for row in found.findings if row.outcome not in ("works", "unproven")}
    assert others == {}
    assert "Writes RiskAssessments by conditional create, in batches of 100." in found.plan
    with FhirClient(source) as client:
        assert not [one for one in client.search("RiskAssessment", {}) if "security" in one["meta"]]


def test_a_largest_page_that_its_operator_set_is_found_out(small_pages, icu, schemas) -> None:
    icu.stay("s")
    for number in range(60):
        icu.lactate("p-s", f"lactate{number}", 1.5, hours=2.0)
    icu.resources.sort(key=lambda one: one["resourceType"] != "Patient")
    icu.upload(small_pages.base_url)
    found = check_source(FhirEndpoint(small_pages.base_url), load_server_profiles(schemas), write=False)
    assert found.differences == {"page_size": 50}
