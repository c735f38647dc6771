"""The whole evaluation of a made-up test side of known truth."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.core.candidates.base import probability
from wardround.core.evaluation.measured import Measured, Told, measured
from wardround.core.evaluation.results import Importance, Policy, Task
from wardround.core.evaluation.tallies import Scores

STAYS, HOURS = 120, 12
THRESHOLD = 0.3
TASK = Task(
    task="hourly",
    horizon=timedelta(hours=6),
    at=timedelta(hours=1),
    hours_per_row=1,
    label="sepsis3",
    onset_definition="sofa_time",
)


def _rows() -> pd.DataFrame:
    """Every third stay is septic at hour 13; a row for each of the 12 hours before."""
    stay = np.repeat(np.arange(STAYS), HOURS)
    hour = np.tile(np.arange(1, HOURS + 1), STAYS)
    start = pd.Timestamp("2150-01-01T00:00Z")
    septic = stay % 3 == 0
    onset = pd.Series(np.where(septic, start + pd.Timedelta(hours=13), pd.NaT), dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "stay_id": [f"s{n}" for n in stay],
            "patient_id": [f"p{n // 2}" for n in stay],
            "as_of": start + pd.to_timedelta(hour, unit="h"),
            "outcome": septic & (hour >= 7),
            "hour": hour.astype(float),
            "onset": onset,
            "unit": np.select([stay < 8, stay < 40], ["Small unit", "SICU"], "MICU"),
            "race": "",
            "anchor_year_group": "2017 - 2019",
            "sex_group": np.where(stay // 2 % 2 == 0, "female", "male"),
            "age_band": "45-64",
        }
    )


def _scores(rows: pd.DataFrame) -> Scores:
    """Higher where the outcome comes, with noise."""
    noise = np.random.default_rng(1).normal(size=len(rows))
    return Scores(probability(-1.5 + 1.5 * rows["outcome"].to_numpy(dtype=float) + noise), THRESHOLD)


def _onsets() -> pd.DataFrame:
    """By the other clock all are septic two hours earlier; those who are not septic have a time all the same."""
    other = pd.Timestamp("2150-01-01T11:00Z")
    return pd.DataFrame(
        {"stay_id": [f"s{n}" for n in range(STAYS)], "sofa_time": other, "suspected_infection_time": other}
    )


def _told(**changes: object) -> Told:
    told = Told(
        task=TASK,
        policy=Policy(name="f1", target=None, reached=0.5),
        importance=Importance(method="shap", unit="log-odds", rows=0, columns=()),
        onsets=_onsets(),
    )
    return told._replace(**changes)


@pytest.fixture(scope="module")
def found() -> Measured:
    rows = _rows()
    return measured(rows, _scores(rows), _told(), seed=1)


def test_every_figure_has_an_interval_around_it(found: Measured) -> None:
    evaluation = found.evaluation
    for metric in (
        *found.metrics.values(),
        evaluation.calibration.slope,
        evaluation.calibration.intercept,
        evaluation.alerts_per_100_patient_days,
    ):
        assert metric.low < metric.value < metric.high


def test_alerts_are_counted_per_100_days_of_care(found: Measured) -> None:
    flagged = (_scores(_rows()).score >= THRESHOLD).mean()
    assert found.evaluation.alerts_per_100_patient_days.value == pytest.approx(flagged * 2400)


def test_the_lead_is_from_the_first_true_alert_to_the_onset(found: Measured) -> None:
    rows = _rows()
    first = rows[rows["outcome"] & (_scores(rows).score >= THRESHOLD)].groupby("stay_id")["hour"].min()
    lead = found.evaluation.lead_time
    assert (lead.stays_with_onset, lead.stays_alerted) == (STAYS // 3, len(first))
    assert lead.median.value == pytest.approx(13 - first.median(), abs=0.5)
    assert lead.median.low <= lead.median.value <= lead.median.high


def test_without_onsets_there_is_no_lead_and_no_other_definition() -> None:
    rows = _rows().assign(onset=pd.Series(pd.NaT, index=range(STAYS * HOURS), dtype="datetime64[us, UTC]"))
    task = TASK.model_copy(update={"onset_definition": None})
    evaluation = measured(rows, _scores(rows), _told(onsets=None, task=task), seed=1).evaluation
    assert evaluation.lead_time.median.reason == "no stay with the outcome has a time of onset"
    assert evaluation.sensitivity_to_onset.reason == "the label has no second definition of onset"


def test_the_other_definition_leaves_out_rows_after_it_and_moves_the_horizon(found: Measured) -> None:
    other = found.evaluation.sensitivity_to_onset
    assert other.definition == "suspected_infection_time"
    # Septic stays keep hours 1 to 10, of which 5 to 10 lie within six hours of hour 11.
    assert other.rows == STAYS * HOURS - STAYS // 3 * 2
    assert other.positives == STAYS // 3 * 6
    assert other.metrics["auroc"].value != found.metrics["auroc"].value


def test_small_cells_are_counted_and_not_shown(found: Measured) -> None:
    by = {each.attribute: each for each in found.evaluation.subgroups}
    assert [cell.group for cell in by["unit"].cells] == ["MICU"]
    assert by["unit"].suppressed == 2
    assert (by["race"].cells, by["race"].reason) == ((), "the source does not say")
    sexes = {cell.group: cell for cell in by["sex"].cells}
    assert (sexes["female"].patients, sexes["female"].stays, sexes["female"].rows) == (30, 60, 720)
    assert sexes["female"].positives + sexes["male"].positives == STAYS // 3
    assert sexes["male"].metrics["auroc"].low < sexes["male"].metrics["auroc"].value


def test_it_repeats_with_the_seed(found: Measured) -> None:
    rows = _rows()
    assert measured(rows, _scores(rows), _told(), seed=1) == found
    assert measured(rows, _scores(rows), _told(), seed=2).metrics["auroc"] != found.metrics["auroc"]
