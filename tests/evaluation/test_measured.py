"""The whole evaluation of a made-up test set whose truth is known."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.base import probability
from wardround.evaluation.measured import AboutModel, Measured, measured
from wardround.evaluation.other_onset import other_onset
from wardround.evaluation.results import Importance, OtherOnset, Policy, Task
from wardround.evaluation.tallies import Scores

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
    """Scores that are higher where the outcome occurs, with noise."""
    noise = np.random.default_rng(1).normal(size=len(rows))
    return Scores(probability(-1.5 + 1.5 * rows["outcome"].to_numpy(dtype=float) + noise), THRESHOLD)


def _onsets() -> pd.DataFrame:
    """By the other definition all are septic two hours earlier; stays without sepsis have a time all the same."""
    other = pd.Timestamp("2150-01-01T11:00Z")
    return pd.DataFrame(
        {"stay_id": [f"s{n}" for n in range(STAYS)], "sofa_time": other, "suspected_infection_time": other}
    )


def _about(**changes: object) -> AboutModel:
    about = AboutModel(
        task=TASK,
        policy=Policy(name="f1", target=None, reached=0.5),
        importance=Importance(method="shap", unit="log-odds", rows=0, columns=()),
        onsets=_onsets(),
    )
    return about._replace(**changes)


@pytest.fixture(scope="module")
def found() -> Measured:
    rows = _rows()
    return measured(rows, _scores(rows), _about(), seed=1)


def test_every_figure_has_an_interval_around_it(found: Measured) -> None:
    evaluation = found.evaluation
    for metric in (
        *found.metrics.values(),
        evaluation.calibration.slope,
        evaluation.calibration.intercept,
        evaluation.alerts_per_100_patient_days,
    ):
        assert metric.low < metric.value < metric.high


def test_curves_and_bins_are_of_the_rows_that_were_scored(found: Measured) -> None:
    outcome = _rows()["outcome"]
    bins, curves = found.evaluation.calibration.bins, found.evaluation.curves
    # 60 patients make six bins.
    assert [one.rows for one in bins] == [STAYS * HOURS // 6] * 6
    assert sum(one.rows * one.observed for one in bins) == pytest.approx(outcome.sum())
    assert sum(one.rows * one.mean_predicted for one in bins) == pytest.approx(_scores(_rows()).score.sum())
    last = curves.precision_recall[-1]
    assert (last.recall, last.precision) == pytest.approx((1, outcome.mean()))
    assert (curves.roc[-1].false_positive_rate, curves.roc[-1].sensitivity) == (1, 1)
    assert found.evaluation.decision_curve[0].treat_all == pytest.approx(
        outcome.mean() - (1 - outcome.mean()) * 0.005 / 0.995
    )


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
    evaluation = measured(rows, _scores(rows), _about(onsets=None, task=task), seed=1).evaluation
    assert evaluation.lead_time.median.reason == "no stay with the outcome has a time of onset"
    assert evaluation.sensitivity_to_onset.reason == "the label has no second definition of onset"


def test_the_other_definition_leaves_out_rows_after_it_and_moves_the_horizon(found: Measured) -> None:
    other = found.evaluation.sensitivity_to_onset
    assert other.definition == "suspected_infection_time"
    # Septic stays keep hours 1 to 10, of which 5 to 10 lie within six hours of hour 11.
    assert other.rows == STAYS * HOURS - STAYS // 3 * 2
    assert other.positives == STAYS // 3 * 6
    assert other.metrics["auroc"].value != found.metrics["auroc"].value


def _by_the_other_time(task: Task, onsets: pd.DataFrame | None) -> OtherOnset:
    """A septic stay, by the label at 13:00, and one that is not septic."""
    hours = ["04:00", "05:00", "05:01", "08:59", "09:00", "10:59", "11:00", "12:00", "08:00", "12:30"]
    septic = np.arange(10) < 8
    day = pd.Timestamp("2150-01-01T00:00Z")
    rows = pd.DataFrame(
        {
            "stay_id": np.where(septic, "a", "b"),
            "patient_id": np.where(septic, "pa", "pb"),
            "as_of": [day + pd.Timedelta(f"{hour}:00") for hour in hours],
            "outcome": septic,
            "onset": pd.Series(np.where(septic, day + pd.Timedelta(hours=13), pd.NaT), dtype="datetime64[us, UTC]"),
        }
    )
    return other_onset(rows, Scores(np.linspace(0.9, 0.1, 10), 0.5), onsets, task, seed=1)


TIMES = pd.DataFrame(
    {
        "stay_id": ["b", "a"],
        "sofa_time": pd.Timestamp("2150-01-01T11:00Z"),
        "suspected_infection_time": pd.Timestamp("2150-01-01T09:00Z"),
    }
)


@pytest.mark.parametrize(
    ("label", "other", "kept", "soon"),
    [
        # The rows before the other time are kept; those within six hours before it have the outcome.
        ("suspected_infection_time", "sofa_time", 6, 5),
        ("earlier", "sofa_time", 6, 5),
        ("sofa_time", "suspected_infection_time", 4, 4),
    ],
)
def test_a_row_at_the_other_time_is_left_out_and_one_at_the_horizon_counts(label, other, kept, soon) -> None:
    found = _by_the_other_time(TASK.model_copy(update={"onset_definition": label}), TIMES)
    # The stay that is not septic keeps both of its rows, whatever times it has.
    assert (found.definition, found.rows, found.positives) == (other, kept + 2, soon)
    assert found.metrics["prevalence"].value == pytest.approx(soon / (kept + 2))


def test_the_horizon_decides_unless_the_outcome_is_of_the_whole_stay() -> None:
    found = _by_the_other_time(TASK.model_copy(update={"horizon": None}), TIMES)
    assert (found.rows, found.positives) == (4 + 2, 4)
    found = _by_the_other_time(TASK.model_copy(update={"horizon": timedelta(minutes=30)}), TIMES)
    assert (found.rows, found.positives) == (4 + 2, 1)


@pytest.mark.parametrize(("definition", "onsets"), [("sofa_time", None), (None, TIMES), ("charted", TIMES)])
def test_a_label_of_one_time_has_no_other(definition: str | None, onsets: pd.DataFrame | None) -> None:
    found = _by_the_other_time(TASK.model_copy(update={"onset_definition": definition}), onsets)
    assert found == OtherOnset(reason="the label has no second definition of onset")


def test_small_cells_are_counted_and_not_shown(found: Measured) -> None:
    by = {each.attribute: each for each in found.evaluation.subgroups}
    assert [cell.group for cell in by["unit"].cells] == ["MICU"]
    assert by["unit"].suppressed == 2
    assert (by["race"].cells, by["race"].reason) == ((), "the source does not say")
    sexes = {cell.group: cell for cell in by["sex"].cells}
    assert (sexes["female"].patients, sexes["female"].stays, sexes["female"].rows) == (30, 60, 720)
    assert sexes["female"].positives + sexes["male"].positives == STAYS // 3
    assert sexes["male"].metrics["auroc"].low < sexes["male"].metrics["auroc"].value


def test_the_evaluation_repeats_with_the_seed(found: Measured) -> None:
    rows = _rows()
    assert measured(rows, _scores(rows), _about(), seed=1) == found
    assert measured(rows, _scores(rows), _about(), seed=2).metrics["auroc"] != found.metrics["auroc"]
