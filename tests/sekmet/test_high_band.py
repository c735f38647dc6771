"""The Group of the high band on a FHIR server that others wrote, and as a cohort read from it."""

import pytest

from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.workflows.screen import Means, ScreeningRequest, screen

pytestmark = pytest.mark.slow

NOW, LATER = "2026-01-02T05:00:00Z", "2026-01-02T06:00:00Z"


def test_it_keeps_its_id_follows_each_run_and_is_a_cohort(sekmet_server, icu, keeping):
    for name, lactate in (("a", 7.0), ("b", 0.5), ("c", 7.0)):
        icu.stay(name, lactate=lactate)
    icu.upload(sekmet_server)
    means = Means(FhirEndpoint(sekmet_server), keeping, lambda *_: None)

    def screened(as_of, **asked):
        about = {"condition": "sepsis", "source_url": sekmet_server, "as_of": as_of}
        return screen(ScreeningRequest.model_validate({**about, **asked}), means).as_json()

    def members():
        with FhirClient(means.source) as client:
            (group,) = client.search("Group", {})
        return group["id"], [member["entity"]["reference"] for member in group.get("member", [])]

    first = screened(NOW)["high_band"]
    key, listed = members()
    assert (first["kept"], first["reference"]) == ("written", f"Group/{key}")
    assert listed == ["Patient/p-a", "Patient/p-c"]
    assert screened(NOW)["high_band"]["kept"] == "unchanged"
    cohort = screened(LATER, cohort=f"group:{key}")
    assert (cohort["found"], cohort["high_band"]) == (2, None)
    for name in ("a", "c"):
        icu.lactate(f"p-{name}", "lactate", 0.5, hours=2.3)
    icu.upload(sekmet_server)
    assert screened(LATER)["high_band"]["members"] == 0
    assert members() == (key, [])
    assert screened(NOW)["high_band"]["kept"] == "newer"
