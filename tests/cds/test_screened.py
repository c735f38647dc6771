"""Tests what the latest screening said of a stay: in RiskAssessments, and in the ledgers of runs."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.adapters.files.stored_request_file import write_request
from wardround.cds.screened import Ledgers, Screened, in_assessments
from wardround.core import run_files
from wardround.core.exclusion import Stay
from wardround.core.ledger import LEDGER_COLUMNS, open_ledger
from wardround.core.stored_request import StoredScreening
from wardround.results.risk_assessment import Assessment, Screening, risk_assessment
from wardround.spec.loading import load_condition

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
AT_SIX = NOW - timedelta(hours=6, minutes=30)
SOURCE = "https://fhir.example.org/r4"
STAY = Stay("e", "p", 0, 0, 0, 0, 0, None, "", "in-progress", 0, 0, "", "", "")


@pytest.fixture
def result(schemas):
    """A RiskAssessment as a screening writes it."""
    condition = load_condition("sepsis", schemas)

    def make(band: str = "high", as_of: datetime = AT_SIX, stay: str = "e", patient: str = "p", **more: Any) -> Any:
        screening = Screening(SOURCE, condition, "1", "0.2.0", as_of)
        said = Assessment(stay, patient, 0.7, band, ("Observation/o",), (), ())
        return {**risk_assessment(said, screening, "Device/d"), **more}

    return make


def said(*resources: Any, condition: str = "sepsis") -> Screened | None:
    return in_assessments(resources, STAY, condition, NOW)


def test_the_latest_result_that_stands_counts(result):
    early, late = result("moderate"), result("low", NOW)
    assert said(early, late) == said(late, early) == Screened(NOW, "low")
    assert said(early, {**late, "status": "entered-in-error"}) == Screened(AT_SIX, "moderate")
    assert said({**early, "status": "amended"}) == Screened(AT_SIX, "moderate")
    assert said() is None


def test_a_result_of_later_of_another_stay_patient_or_condition_does_not_count(result):
    assert said(result(as_of=NOW + timedelta(seconds=1))) is None
    assert said(result(stay="f")) is None
    assert said(result(patient="q")) is None
    assert said(result(), condition="mortality") is None


@pytest.mark.parametrize(
    "other",
    [
        {"identifier": [{"system": "urn:other", "value": "x"}]},
        {"identifier": "x"},
        {"method": None},
        {"method": {"coding": "x"}},
        {"occurrenceDateTime": "2026-03-10"},
        {"occurrenceDateTime": 5},
        {"prediction": []},
        {"prediction": [{"qualitativeRisk": {"coding": [{"system": "urn:other", "code": "high"}]}}]},
        {"prediction": [{"qualitativeRisk": {"coding": [{"code": "certain"}]}}]},
        {"encounter": None},
        {"subject": "Patient/p"},
        {"status": None},
    ],
)
def test_a_result_that_is_not_ours_or_misshapen_does_not_count(result, other):
    assert said(result(**other)) is None


class Runs:
    """Run folders, and a clock that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.url = str(folder)
        self.seconds = 0.0
        self.ledgers = Ledgers(self.url, "sepsis", lambda: self.seconds)

    def add(self, as_of: datetime, bands: dict[str, str], ended: bool = True, **request: Any) -> RunFolder:
        run = run_id("sepsis", pd.Timestamp(as_of))
        folder = RunFolder.of(self.url, run)
        about = {"condition": "sepsis", "as_of": as_of, "source_url": SOURCE, "mode": "live", "model_version": "1"}
        write_request(folder, StoredScreening.model_validate({**about, **request}))
        if ended:
            self.end(folder, bands)
        return folder

    def end(self, folder: RunFolder, bands: dict[str, str], reason: str = "") -> None:
        rows = [dict(zip(LEDGER_COLUMNS, self._row(stay, band, reason), strict=True)) for stay, band in bands.items()]
        folder.write_frame(run_files.LEDGER, open_ledger(rows, bands))

    def latest(self, stay: str = "e", source: str = SOURCE, as_of: datetime = NOW) -> Screened | None:
        self.ledgers.look(as_of)
        return self.ledgers.latest(stay, source, as_of)

    def _row(self, stay: str, band: str, reason: str) -> tuple[Any, ...]:
        outcome = {"indeterminate": "indeterminate", "excluded": "excluded"}.get(band, "scored")
        why = reason or ("" if outcome == "scored" else "minimum_data")
        return stay, "p", "", 1, outcome, why, 0.5, "" if outcome == "excluded" else band, True


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "runs")


def test_the_ledger_of_the_latest_run_tells_the_band(runs):
    assert runs.latest() is None
    runs.add(AT_SIX - timedelta(hours=12), {"e": "high", "f": "low"})
    assert runs.latest() == Screened(AT_SIX - timedelta(hours=12), "high")
    runs.add(AT_SIX, {"e": "indeterminate"})
    assert (runs.latest(), runs.latest("f").band) == (Screened(AT_SIX, "indeterminate"), "low")


def test_a_stay_that_was_not_screened_keeps_what_was_said_before(runs):
    runs.add(AT_SIX - timedelta(hours=1), {"e": "moderate"})
    runs.add(AT_SIX, {"e": "excluded", "f": "low"})
    assert runs.latest() == Screened(AT_SIX - timedelta(hours=1), "moderate")
    assert runs.latest("unknown") is None


def test_a_run_that_reached_nobody_is_of_another_source_or_of_later_does_not_count(runs):
    runs.add(AT_SIX, {"e": "low"}, mode="shadow")
    runs.add(AT_SIX, {"e": "low"}, demo_model=True)
    runs.add(AT_SIX, {"e": "low"}, source_url="https://other.example.org/r4")
    runs.add(NOW + timedelta(seconds=1), {"e": "low"})
    assert runs.latest() is None
    assert runs.latest(source="https://other.example.org/r4") == Screened(AT_SIX, "low")


def test_a_run_counts_once_it_has_ended_and_no_more_once_it_is_retracted(runs):
    runs.add(AT_SIX - timedelta(hours=1), {"e": "low"})
    folder = runs.add(AT_SIX, {}, ended=False)
    assert runs.latest().band == "low"
    runs.end(folder, {"e": "high"})
    assert runs.latest().band == "high"
    folder.write_json(run_files.RETRACTION, {})
    assert runs.latest().band == "low"


def test_a_result_that_somebody_withdrew_does_not_count(runs):
    runs.end(runs.add(AT_SIX, {}, ended=False), {"e": "high"}, reason="withdrawn")
    assert runs.latest() is None


def test_a_run_that_cannot_be_read_is_passed_over(runs):
    runs.add(AT_SIX, {}, ended=False).write_bytes(run_files.LEDGER, b"not parquet")
    runs.add(AT_SIX, {"e": "high"}).write_bytes(run_files.REQUEST, b"{")
    runs.add(AT_SIX - timedelta(hours=1), {"e": "moderate"})
    assert runs.latest().band == "moderate"


def test_the_first_call_waits_for_the_runs_and_later_ones_do_not(runs):
    ledgers = runs.ledgers
    runs.add(AT_SIX - timedelta(hours=1), {"e": "low"})
    assert ledgers.latest("e", SOURCE, NOW).band == "low"
    runs.add(AT_SIX, {"e": "high"})
    assert ledgers.latest("e", SOURCE, NOW + timedelta(seconds=1)).band == "low"
    runs.seconds += 10
    ledgers.latest("e", SOURCE, NOW + timedelta(seconds=2))
    (looking,) = [one for one in threading.enumerate() if one.name == "ledgers-sepsis"] or [None]
    if looking:
        looking.join()
    assert ledgers.latest("e", SOURCE, NOW + timedelta(seconds=3)).band == "high"


def test_runs_that_cannot_be_listed_leave_what_is_known(runs, tmp_path):
    runs.add(AT_SIX, {"e": "high"})
    assert runs.latest().band == "high"
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    (tmp_path / "runs").write_text("no folder")
    assert runs.latest().band == "high"
    assert Ledgers(runs.url, "sepsis").latest("e", SOURCE, NOW) is None


def test_a_door_at_an_earlier_time_sees_what_was_said_by_then(runs):
    runs.add(AT_SIX, {"e": "high"})
    runs.add(AT_SIX - timedelta(hours=1), {"e": "low"})
    assert runs.latest().band == "high"
    assert runs.latest(as_of=AT_SIX - timedelta(minutes=5)) == Screened(AT_SIX - timedelta(hours=1), "low")
    assert runs.latest(as_of=AT_SIX) == Screened(AT_SIX, "high")
