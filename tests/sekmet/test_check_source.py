"""What a check finds out about a server that others wrote, and leaves behind on it."""

import pytest

from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.spec.loading import load_server_profiles
from wardround.workflows.check_source import check_source

pytestmark = pytest.mark.slow


def test_it_can_all_that_its_profile_promises_and_counts_every_update(sekmet_server, schemas, icu):
    icu.stay("a")
    icu.stay("b")
    icu.upload(sekmet_server)
    found = check_source(FhirEndpoint(sekmet_server), load_server_profiles(schemas), write=True)

    assert found.profile == "sekmet"
    others = {row.question: row.detail for row in found.findings if row.outcome not in ("works", "unproven")}
    assert others == {"the same update again changes nothing": "makes a new version"}
    assert found.differences == {}
    with FhirClient(FhirEndpoint(sekmet_server)) as client:
        assert list(client.search("RiskAssessment", {})) == []
