"""Tests the walk that the manual shows: demo-patients, then sandbox --serve, says what a screening writes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.main import wardround
from wardround.core import run_files
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_variables
from wardround.workflows.screen import Means, ScreeningRequest, screen

EVERYBODY = "10000"


def said(*arguments: object) -> dict[str, Any]:
    """Returns the JSON that a command prints."""
    done = CliRunner().invoke(wardround, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def require_same(chosen: list[str], folder: Path, now: pd.Timestamp, settings: Settings, out: Path) -> None:
    """Holds demo-patients and the sandbox to what a screening of the folder writes, for every stay."""
    with running_server(folder) as server:
        request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of=now.to_pydatetime())
        summary = screen(request, Means(FhirEndpoint(server.base_url), settings, lambda *_: None))
    ledger = RunFolder.existing(settings.runs, summary.run).read_frame(run_files.LEDGER)
    written = {row.stay_id: row for row in ledger.itertuples() if row.outcome in ("scored", "indeterminate")}
    time = now.isoformat()
    patients = said("demo-patients", *chosen, "--per-band", EVERYBODY, "--now", time, "--out", out)["patients"]
    files = sorted(out.glob("*_patient.json"))
    assert len(files) == len(patients) == len(written)
    foreseen = {f"{one['patient']}_patient": (one["band"], one["probability"]) for one in patients}
    # The charts of the folder too, whose prefetch the sandbox fills as the service asks.
    paths = ["--as-of", time, "--parallel", 2, *files, folder]
    played = said("sandbox", "--serve", "--condition", "sepsis", *paths)
    assert played["broken_discovery"] == []
    shown = Counter[str]()
    for answer in played["answers"]:
        assert (answer["broken"], answer["left_out"]) == ([], [])
        said_so = (answer["band"], answer["probability"])
        assert said_so == foreseen.get(answer["patient"], said_so)
        if answer["band"] is None:
            continue
        row = written[answer["encounter"]]
        shown[row.stay_id] += 1
        assert answer["band"] == row.band
        if row.outcome == "scored":
            assert abs(answer["probability"] - row.score) <= 1e-9
        else:
            assert answer["probability"] is None
    assert shown == dict.fromkeys(written, 2)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Settings:
    """The settings, in the environment of this process and its children."""
    monkeypatch.setenv("WARDROUND_HOME", str(settings.home))
    monkeypatch.setenv("WARDROUND_VAR", str(settings.var))
    monkeypatch.setenv("WARDROUND_MODELS", str(settings.models))
    # What is tried must not stand among the cards of the bedside: a door that used this database would not start.
    monkeypatch.setenv("WARDROUND_DATABASE", "sqlite:////dev/null/wardround.sqlite")
    return settings


def test_the_sandbox_shows_what_a_screening_writes_for_every_stay_of_a_ward(
    simulated_ward: SimulatedWard, installed: Settings, tmp_path: Path
) -> None:
    ward = simulated_ward.fhir
    require_same(["--fhir", str(ward)], ward, simulated_ward.now, installed, tmp_path / "patients")


@pytest.mark.long
@pytest.mark.mimic
def test_the_sandbox_shows_what_a_screening_writes_for_every_stay_of_the_mimic_demo(
    mimic_demo: Path, trained_models: Path, monkeypatch: pytest.MonkeyPatch, schemas: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("WARDROUND_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("WARDROUND_MODELS", str(trained_models))
    now = pd.Timestamp("2026-01-02T05:00:00Z")
    mimic2fhir(mimic_demo, tmp_path / "fhir", Selection(load_variables(schemas), now), lambda _name: None)
    require_same(["--mimic", str(mimic_demo)], tmp_path / "fhir", now, settings_from(), tmp_path / "patients")
