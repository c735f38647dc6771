"""A model is asked only at the hours since admission that it covers; elsewhere a stay is indeterminate, never low."""

from datetime import timedelta

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.stays import hours_at
from wardround.results.training_hours import TrainingHours
from wardround.workflows.report import report_page

HOURS = TrainingHours(first=timedelta(hours=6), last=timedelta(hours=48))


def _ledger(summary, settings) -> dict[str, tuple[str, str, str]]:
    frame = RunFolder.existing(settings.runs, summary["run"]).read_frame(run_files.LEDGER)
    return {row.stay_id: (row.outcome, row.reason, row.band) for row in frame.itertuples()}


def _begun(hours_before: float) -> dict[str, object]:
    return {"period": {"start": (pd.Timestamp("2026-01-02T05:00Z") - pd.Timedelta(hours=hours_before)).isoformat()}}


def test_stays_outside_the_hours_covered_are_indeterminate_counted_and_shown(icu, server, screened, held, with_card):
    icu.stay("early", lactate=6.0, **_begun(5.9))
    icu.stay("first", lactate=6.0, **_begun(6))
    icu.stay("within", lactate=1.0, **_begun(28))
    icu.stay("last", lactate=6.0, **_begun(48))
    icu.stay("late", lactate=6.0, **_begun(48.1))
    icu.stay("early-unknown", lactate=None, vitals=False, **_begun(2))
    icu.upload(server)
    settings = with_card(training_hours=HOURS)
    summary = screened(installed=settings)
    assert (summary["found"], summary["scored"], summary["indeterminate"]) == (6, 3, 3)
    told = _ledger(summary, settings)
    outside = ("indeterminate", "outside_training_hours", "indeterminate")
    assert told["e-early"] == told["e-late"] == outside
    # Too little is known of it whatever the model covers.
    assert told["e-early-unknown"] == ("indeterminate", "minimum_data", "indeterminate")
    assert {stay for stay, (outcome, *_) in told.items() if outcome == "scored"} == {"e-first", "e-within", "e-last"}
    assert {one["encounter"]["reference"] for one in held("RiskAssessment")} == {
        "Encounter/e-first",
        "Encounter/e-within",
        "Encounter/e-last",
    }
    page = report_page(summary["run"], settings)
    words = "In the unit for a shorter or longer time than the model covers"
    assert page.count(words) >= 2
    assert "Indeterminate: in the unit for a shorter or longer time than the model covers" in page
    assert "The model covers 6h to 48h after admission to the unit." in page
    worklist = RunFolder.existing(settings.runs, summary["run"]).read_bytes(run_files.WORKLIST).decode()
    assert worklist.count(words) == 2


def test_a_model_that_states_no_hours_is_asked_as_before(icu, server, screened, with_card) -> None:
    icu.stay("early", lactate=6.0, **_begun(0.5))
    icu.stay("late", lactate=6.0, **_begun(2000))
    icu.upload(server)
    summary = screened(installed=with_card(training_hours=None))
    assert summary["scored"] == 2


def _at(unit_begin: str | None, intime: str) -> float:
    rows = pd.DataFrame({"stay_id": ["s"], "as_of": [pd.Timestamp("2026-01-02T05:00Z")]})
    begins = {name: pd.to_datetime([time], utc=True) for name, time in (("unit_begin", unit_begin), ("intime", intime))}
    return float(hours_at(rows, pd.DataFrame({"stay_id": ["s"], **begins}))[0])


@pytest.mark.parametrize(
    ("unit_begin", "intime", "hours"),
    [
        ("2026-01-02T03:00Z", "2026-01-01T05:00Z", 2),  # moved into the unit two hours ago
        (None, "2026-01-01T05:00Z", 24),  # its begin there is not known to the moment
    ],
)
def test_the_hours_are_those_since_the_begin_in_the_unit(unit_begin, intime, hours) -> None:
    assert _at(unit_begin, intime) == hours
