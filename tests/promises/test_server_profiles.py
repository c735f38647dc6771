"""The same patients give the same results, whatever kind of server they are asked for as."""

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

from wardround.adapters.fhir_client import FhirClient, FhirSource
from wardround.adapters.fhir_cohorts import find_for_patients
from wardround.adapters.fhir_observations import fetch
from wardround.adapters.fhir_stays import find
from wardround.core.events import admit
from wardround.services.fhir_server.running import running_server
from wardround.settings import PROJECT
from wardround.spec.loading import load_server_profiles, load_variables
from wardround.spec.servers import ServerProfile
from wardround.workflows.screening import Means, ScreeningRequest, screen

SCHEMAS = PROJECT / "include" / "schemas"
PROFILES = load_server_profiles(SCHEMAS)
AS_OF = pd.Timestamp("2026-01-02T05:00:00Z")
PATIENTS = ["p-a", "p-b", "p-c"]


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with running_server() as server:
        yield server.base_url


@pytest.fixture
def ward(running: str, icu) -> str:
    """The base URL of a server with three ICU stays, and with a visit that is none."""
    for name, lactate in (("a", 1.0), ("b", 4.0), ("c", None)):
        icu.stay(name, lactate)
    icu.stay("visit", patient="a", **{"class": {"code": "AMB"}})
    icu.upload(running)
    return running


def read(ward: str, profile: ServerProfile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ICU stays, and the events of their patients."""
    with FhirClient(FhirSource(ward, profile=profile)) as client:
        day_before = AS_OF - timedelta(days=1)
        if profile.encounter_needs_patient:
            stays = find_for_patients(client, PATIENTS, day_before, AS_OF).stays
        else:
            stays = find(client, day_before, AS_OF).stays
        variables = load_variables(SCHEMAS)
        events = admit(fetch(client, PATIENTS, variables, day_before, AS_OF), variables, AS_OF).events
    return stays, events.sort_values(["source_ref", "variable"], ignore_index=True)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_reads_the_same_stays_and_events(ward, profile) -> None:
    stays, events = read(ward, PROFILES[profile])
    expected_stays, expected_events = read(ward, PROFILES["generic"])
    assert stays["stay_id"].tolist() == ["e-a", "e-b", "e-c"]
    assert len(events) > len(PATIENTS) * 10
    pd.testing.assert_frame_equal(stays, expected_stays)
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
        return screen(request, Means(FhirSource(ward, profile=PROFILES[kind]), settings, lambda *_: None))

    first = run("generic")
    again = run(profile)
    assert first["scored"] == first["written"] == len(PATIENTS)
    assert (again["scored"], again["unchanged"], again["failed"]) == (len(PATIENTS), len(PATIENTS), 0)
