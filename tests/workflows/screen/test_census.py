"""A screening of the census: who lies in a watched unit by the stream's messages, found on the server by number."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.adt.ward import FEED, NOON, adt, at, merge
from tests.stream.flagging import PSEUDONYMS

from wardround.adapters.database.database import opened
from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.queue.queue import Queue
from wardround.errors import FhirError, SpecError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.cohorts import cohort_of
from wardround.spec.loading import load_stream
from wardround.stream.flag import Flag
from wardround.stream.metrics import Metrics
from wardround.stream.raw import raw
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics
from wardround.workflows.screen.census import of_census
from wardround.workflows.screen.request import ScreeningRequest

PEOPLE, VISITS = FEED.patients[0].system, FEED.visits.system


class Census:
    """An installation whose stream has taken messages of the source `main`, and of `other` at another server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def take(self, *bodies: bytes, source: str = "main") -> None:
        with opened(self.settings.database) as database:
            queue = Queue(database)
            queue.put([raw(body, source, NOON) for body in bodies])
            flag = Flag(queue, load_stream(self.settings.stream).sources, {}, PSEUDONYMS)
            runner = Runner(flag, queue, StageMetrics("flag", Metrics()), lambda: NOON)
            while runner.step():
                pass


@pytest.fixture
def census(settings: Settings, server: str, tmp_path) -> Census:
    one = {
        "fhir": f"{server}/",
        "time_zone": "Europe/Berlin",
        "patients": [{"system": PEOPLE, "namespace": "HOSP"}],
        "visits": {"system": VISITS, "namespace": "VISITS"},
        "units": ["MICU", "SICU"],
        "classes": ["I"],
    }
    file = tmp_path / "stream.yaml"
    sources = {"main": one, "other": {**one, "fhir": "elsewhere"}}
    file.write_text(yaml.safe_dump({"sources": sources}))
    return Census(replace(settings, stream=file))


@pytest.fixture
def ward(icu, server: str, stay_of) -> Any:
    """Four stays that the server knows by the numbers of messages."""
    for place in range(4):
        stay_of(f"P{place}", f"V{place}")
    icu.upload(server)
    return icu


@pytest.fixture
def stay_of(icu) -> Any:
    """stay_of(patient, visit) adds a stay whose Patient and Encounter carry these numbers."""

    def add(patient: str, visit: str) -> None:
        icu.stay(patient, lactate=2.0, identifier=[{"system": VISITS, "value": visit}])
        (who,) = (one for one in icu.resources if one["id"] == f"p-{patient}")
        who["identifier"] = [{"system": PEOPLE, "value": patient}]

    return add


def patients_of(summary: dict[str, Any], settings: Settings) -> set[str]:
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    return set(ledger.loc[ledger["written"], "patient_id"])


def test_who_lies_in_a_watched_unit_now_is_screened_and_nobody_else(ward, screened, census: Census, transport) -> None:
    census.take(
        adt("A01", "V0", of="P0", when=at("08:00")),
        adt("A01", "V1", "SICU", of="P9", when=at("08:00")),
        merge("P9", "P1"),
        adt("A01", "V2", "WARD7", of="P2", when=at("08:00")),
        adt("A01", "V3", of="P3", when=at("08:00")),
        adt("A03", "V3", of="P3", when=at("09:00")),
    )
    summary = screened(cohort="adt", installed=census.settings)
    assert patients_of(summary, census.settings) == {"p-P0", "p-P1"}
    assert (summary["cohort"], summary["cohort_patients"], summary["cohort_set_aside"]) == ("adt", 2, {})
    searches = [body for path, body in transport.sent if path.endswith("/Encounter/_search")]
    assert any("patient=" in body for body in searches)
    # No search for the stays of a unit.
    assert [body for body in searches if "class=" in body or "location=" in body] == []


def test_everybody_in_the_census_is_accounted_for(ward, server, icu, screened, census: Census, stay_of) -> None:
    icu.resources = []
    icu.stay("twin", identifier=[{"system": VISITS, "value": "V8"}])
    icu.resources[1]["identifier"] = [{"system": PEOPLE, "value": "P0"}]
    icu.upload(server)
    census.take(
        adt("A01", "V0", of="P0", when=at("08:00")),  # two Patients carry this number
        adt("A01", "V1", of="P1", when=at("08:00")),
        adt("A01", "V5", of="P5", when=at("08:00")),  # the server does not know the patient
        adt("A01", "V3", of="P2", when=at("08:00")),  # the visit is of P3 there
    )
    summary = screened(cohort="adt", installed=census.settings)
    assert patients_of(summary, census.settings) == {"p-P1"}
    assert summary["cohort_set_aside"] == {
        "ambiguous_patient": 1,
        "patient_not_there": 1,
        "visit_of_another_patient": 1,
    }
    page = Path(summary["report"]).read_text()
    assert "The cohort (adt) names 1 patient" in page
    assert "1 set aside: in the census, and not known to the server." in page


@pytest.fixture
def named(server: str, census: Census) -> Any:
    """named(cohort, **request) gives the ids of the patients whom the census names."""

    def ids(cohort: str, **request: Any) -> list[str]:
        asked = {"condition": "sepsis", "source_url": server, "as_of": NOON, **request}
        with FhirClient(FhirEndpoint(server)) as client:
            found = of_census(client, cohort_of(cohort), ScreeningRequest.model_validate(asked), census.settings)
        assert not any(one.reason for one in found)
        return sorted(one.patient_id for one in found)

    return ids


def test_a_patient_with_two_visits_is_named_once(ward, named, census: Census) -> None:
    census.take(adt("A01", "V0", of="P0", when=at("08:00")), adt("A08", "V77", of="P0", when=at("08:00")))
    assert named("adt") == ["p-P0"]


def test_only_the_sources_of_the_runs_server_count_unless_others_are_named(ward, named, census: Census) -> None:
    census.take(adt("A01", "V0", of="P0", when=at("08:00")))
    census.take(adt("A01", "V1", of="P1", when=at("08:00")), source="other")
    assert named("adt") == ["p-P0"]
    assert named("adt:other") == ["p-P1"]
    assert named("adt:main,other") == ["p-P0", "p-P1"]
    assert named("adt", source_name="elsewhere") == ["p-P0", "p-P1"]  # `other` says so of its server


def test_a_source_that_does_not_exist_and_a_server_without_one_are_errors(
    server, named, census: Census, settings
) -> None:
    with pytest.raises(FhirError, match=r"has no source gone, expected one of main, other"):
        named("adt:gone")
    census.settings.stream.write_text(census.settings.stream.read_text().replace(server, "https://example.org/fhir"))
    with pytest.raises(FhirError, match=r"no source names the server .*expected `fhir: "):
        named("adt")
    census.settings.stream.unlink()
    with pytest.raises(SpecError, match=r"not found, expected the settings of the stream"):
        named("adt")


def test_an_empty_census_names_nobody(ward, named) -> None:
    assert named("adt") == []
