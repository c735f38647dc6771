"""Tests that the bedside says what a screening writes at the same time: for every stay, to the last digit."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from tests.cds.ehr import RISK, searchset
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.keeping import KeepsNothing
from wardround.core import run_files
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.sources.mimic import MimicFolder
from wardround.spec.loading import load_condition, load_variables
from wardround.workflows.features import build_table
from wardround.workflows.screen import Means, ScreeningRequest, screen
from wardround.workflows.screen.scoring import Scoring


class Chart:
    """What an EHR holds of its patients, and sends along as the templates of a service ask."""

    def __init__(self, folder: Path) -> None:
        self.patients: dict[str, dict[str, Any]] = {}
        self.mine: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for one in _resources(folder):
            if one["resourceType"] == "Patient":
                self.patients[one["id"]] = one
            elif "subject" in one:
                patient = one["subject"]["reference"].removeprefix("Patient/")
                self.mine[patient][one["resourceType"]].append(one)

    def said(self, door: Door, patient: str, stay: str, at: datetime) -> dict[str, Any]:
        """Returns what the door says for programs of a stay at a time, given everything; the window is the door's."""
        mine = self.mine[patient]
        prefetch = {
            "patient": self.patients[patient],
            "encounters": searchset(mine["Encounter"]),
            "observations": searchset(mine["Observation"]),
        }
        context = {"userId": "Practitioner/one", "patientId": patient, "encounterId": stay}
        body = {"hook": "patient-view", "hookInstance": "1", "context": context, "prefetch": prefetch}
        answer = door.answer(Request("POST", "/cds-services/sepsis-risk", at, orjson.dumps(body)))
        assert (answer.status, answer.fault) == (200, "")
        return dict(orjson.loads(answer.body)["extension"][RISK])


def _resources(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.ndjson.gz")):
        with gzip.open(path, "rt") as lines:
            yield from map(json.loads, lines)


def require_parity(folder: Path, settings: Settings, as_of: datetime) -> Counter[str]:
    """Screens a folder on a server, and holds the door to what was written; returns how many stays have which band."""
    chart, door = Chart(folder), Door.of(settings, KeepsNothing())
    with running_server(folder) as server:
        request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of=as_of)
        summary = screen(request, Means(FhirEndpoint(server.base_url), settings, lambda *_: None))
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            written = {
                one["encounter"]["reference"].removeprefix("Encounter/"): one["prediction"][0]
                for one in client.search("RiskAssessment", {})
            }
    ledger = RunFolder.existing(settings.runs, summary.run).read_frame(run_files.LEDGER)
    bands: Counter[str] = Counter()
    for row in ledger.itertuples():
        said = chart.said(door, row.patient_id, row.stay_id, as_of)
        bands[said.get("band", said["outcome"])] += 1
        if row.outcome == "excluded":
            assert said["outcome"] == "not_eligible"
            continue
        assert said["encounterId"] == row.stay_id
        assert said["band"] == row.band
        assert said.get("reason", "") == row.reason
        if row.outcome == "scored":
            assert abs(said["probability"] - row.score) <= 1e-9
            assert abs(said["probability"] - written[row.stay_id]["probabilityDecimal"]) <= 1e-9
        else:
            assert row.stay_id not in written
            assert "probability" not in said
    return bands


def test_every_stay_of_a_ward_gets_the_score_that_a_screening_writes(
    simulated_ward: SimulatedWard, settings: Settings
) -> None:
    bands = require_parity(simulated_ward.fhir, settings, simulated_ward.now.to_pydatetime())

    assert bands.total() > 8
    assert bands["high"] + bands["moderate"] + bands["low"] >= 7


@pytest.fixture
def whole(trained_models: Path, tmp_path: Path) -> Settings:
    """An installation with the project's own conditions, and a sepsis model of all their columns."""
    return replace(settings_from({"WARDROUND_VAR": str(tmp_path)}), models=trained_models)


@pytest.mark.long
@pytest.mark.mimic
def test_every_patient_of_the_mimic_demo_gets_the_score_that_a_screening_writes(
    mimic_demo: Path, whole: Settings, schemas: Path, tmp_path: Path
) -> None:
    now = pd.Timestamp("2026-01-02T05:00:00Z")
    mimic2fhir(mimic_demo, tmp_path / "fhir", Selection(load_variables(schemas), now), lambda _name: None)

    bands = require_parity(tmp_path / "fhir", whole, now.to_pydatetime())

    assert bands["high"] + bands["moderate"] + bands["low"] >= 70


@pytest.mark.long
@pytest.mark.mimic
def test_all_140_stays_of_the_mimic_demo_get_the_score_that_their_csvs_give(
    mimic_demo: Path, whole: Settings, schemas: Path, tmp_path: Path
) -> None:
    """At 24 hours of each stay, for those that last so long; at the others the patient has left."""
    mimic2fhir(mimic_demo, tmp_path / "fhir", Selection(load_variables(schemas)), lambda _name: None)
    sepsis, day = load_condition("sepsis", schemas), timedelta(hours=24)
    table = build_table(MimicFolder(mimic_demo), sepsis, day)
    scoring = Scoring.of(sepsis, ModelStore(whole.models).load(sepsis))
    values = table.features[list(sepsis.columns)].to_numpy(dtype=float)
    chart, door, seen = Chart(tmp_path / "fhir"), Door.of(whole, KeepsNothing()), Counter[str]()
    patient_of = {one["id"]: who for who, mine in chart.mine.items() for one in mine["Encounter"]}
    assert len(table.features) == 140
    for row, stated in zip(table.features.itertuples(), scoring.stated(values, np.full(140, 24.0)), strict=True):
        said = chart.said(door, patient_of[row.stay_id], row.stay_id, row.as_of.to_pydatetime())
        seen[said["outcome"]] += 1
        seen[said.get("reason", "")] += 1
        if said["outcome"] != "not_eligible":
            assert (said["band"], said.get("reason", "")) == (stated.band, stated.why)
            assert said.get("probability") == pytest.approx(stated.score, abs=1e-9)
    assert (
        seen["not_eligible"] - seen["deceased"]
        == seen["discharged"]
        == sum(_length(chart, one) <= day for one in table.features["stay_id"])
    )


def _length(chart: Chart, stay_id: str) -> timedelta:
    periods = [one["period"] for mine in chart.mine.values() for one in mine["Encounter"] if one["id"] == stay_id]
    return datetime.fromisoformat(periods[0]["end"]) - datetime.fromisoformat(periods[0]["start"])
