"""Tests that the same patients give the same results, with every server profile."""

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest
from tests.frames import admit

from wardround.core.stays import FoundStays
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT
from wardround.sources.fhir.cohorts import find_for_patients
from wardround.sources.fhir.observations import fetch
from wardround.sources.fhir.stays import find
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_server_profiles, load_variables
from wardround.spec.servers import ServerProfile
from wardround.workflows.screen import Means, ScreeningRequest, screen

SCHEMAS = PROJECT / "include" / "schemas"
PROFILES = load_server_profiles(SCHEMAS)
AS_OF = pd.Timestamp("2026-01-02T05:00:00Z")
PATIENTS = ["p-a", "p-b", "p-c"]
ICU = Encounters(classes=("ACUTE",), locations=("MICU",))


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with running_server() as server:
        yield server.base_url


@pytest.fixture
def ward(running: str, icu) -> str:
    """Yields the base URL of a server with three ICU stays, one known only by its bed, and other Encounters.

    These are a visit, a stay of long ago, and one without a known start.
    """
    there = {"class": {"code": "IMP"}, "location": [{"location": {"reference": "Location/bed"}}]}
    for name, lactate, odd in (("a", 1.0, {}), ("b", 4.0, there), ("c", None, {})):
        icu.stay(name, lactate, **odd)
    icu.stay("visit", patient="a", **{"class": {"code": "AMB"}})
    icu.stay("timeless", patient="a")
    del icu.resources[-1]["period"]
    icu.stay("old", patient="a", period={"start": "2025-01-01T01:00:00Z", "end": "2025-01-03T01:00:00Z"})
    icu.resources.append({"resourceType": "Location", "id": "micu", "name": "MICU"})
    icu.resources.append({"resourceType": "Location", "id": "bed", "partOf": {"reference": "Location/micu"}})
    icu.upload(running)
    return running


def read(ward: str, profile: ServerProfile) -> tuple[FoundStays, pd.DataFrame]:
    """Returns the ICU stays, and the events of their patients."""
    with FhirClient(FhirEndpoint(ward, profile=profile)) as client:
        day_before = AS_OF - timedelta(days=1)
        if profile.encounter_needs_patient:
            stays = find_for_patients(client, PATIENTS, ICU, day_before, AS_OF)
        else:
            stays = find(client, ICU, day_before, AS_OF)
        variables = load_variables(SCHEMAS)
        found = fetch(client, PATIENTS, variables, dict.fromkeys(variables, day_before), AS_OF)
        events = admit(found.frame(), variables, AS_OF).events
    return stays, events.sort_values(["source_ref", "variable"], ignore_index=True)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_reads_the_same_stays_and_events(ward, profile) -> None:
    found, events = read(ward, PROFILES[profile])
    expected, expected_events = read(ward, PROFILES["generic"])
    assert found.stays[["stay_id", "unit"]].to_numpy().tolist() == [["e-a", ""], ["e-b", "MICU"], ["e-c", ""]]
    assert found.set_aside[["stay_id", "reason"]].to_numpy().tolist() == [["e-timeless", "no_period"]]
    assert len(events) > len(PATIENTS) * 10
    for frame, as_expected in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(frame, as_expected)
    pd.testing.assert_frame_equal(events, expected_events)


@pytest.mark.parametrize("profile", ["oracle", "medplum"])
def test_a_run_as_another_kind_of_server_finds_its_results_written_already(ward, settings, tmp_path, profile) -> None:
    file = tmp_path / "patients.txt"
    file.write_text("\n".join(PATIENTS))

    def run(kind: str):
        request = ScreeningRequest.model_validate(
            {
                "condition": "sepsis",
                "source_url": ward,
                "as_of": AS_OF.isoformat(),
                "cohort": {"kind": "file", "path": str(file)},
            }
        )
        return screen(
            request,
            Means(FhirEndpoint(ward, icu_locations=("MICU",), profile=PROFILES[kind]), settings, lambda *_: None),
        ).as_json()

    first = run("generic")
    again = run(profile)
    assert first["scored"] == first["written"] == len(PATIENTS)
    assert (again["scored"], again["unchanged"], again["failed"]) == (len(PATIENTS), len(PATIENTS), 0)
