"""The whole evaluation of a made-up test set whose truth is known."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.base import probability
from wardround.evaluation.measured import AboutModel, Measured, measured
from wardround.evaluation.results import Definition, Design, Importance, Policy, Predictions, Task
from wardround.evaluation.samples import Sample
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
DEFINITIONS = tuple(
    Definition(onset=onset, suspicion="any_culture") for onset in ("sofa_time", "suspected_infection_time")
)
SOME = Predictions(rows=9, positives=3)
DESIGN = Design(fitted_on="all_hours", fitted=SOME, calibrated=SOME, judged=SOME, below_minimum_data=4)


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
            "matched": septic | (hour <= stay % 12),
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


def _outcomes() -> pd.DataFrame:
    """By the other definition all septic stays are septic two hours earlier."""
    day, septic = pd.Timestamp("2150-01-01T00:00Z"), np.arange(STAYS) % 3 == 0
    return pd.concat(
        pd.DataFrame(
            {
                "stay_id": [f"s{n}" for n in range(STAYS)],
                "definition": definition.onset,
                "suspicion": definition.suspicion,
                "outcome": pd.array(septic, dtype="boolean"),
                "onset": pd.Series(np.where(septic, day + hour, pd.NaT), dtype="datetime64[us, UTC]"),
            }
        )
        for definition, hour in zip(DEFINITIONS, (pd.Timedelta(hours=13), pd.Timedelta(hours=11)), strict=True)
    )


def _about(**changes: object) -> AboutModel:
    about = AboutModel(
        task=TASK,
        policy=Policy(name="f1", target=None, reached=0.5),
        importance=Importance(method="shap", unit="log-odds", rows=0, columns=()),
        design=DESIGN,
        lock_out=timedelta(hours=12),
        moderate=THRESHOLD / 2,
        definitions=DEFINITIONS,
        outcomes=_outcomes(),
    )
    return about._replace(**changes)


@pytest.fixture(scope="module")
def found() -> Measured:
    rows = _rows()
    return measured(rows, _scores(rows), Sample.by_chance(rows["patient_id"]), _about())


def _widths(found: Measured) -> dict[str, float]:
    """How wide the interval is of one figure of each part of an evaluation."""
    evaluation = found.evaluation
    every = {
        "metrics": found.metrics["prevalence"],
        "calibration": evaluation.calibration.intercept,
        "bands": evaluation.bands[2].observed,
        "subgroups": evaluation.subgroups[0].cells[0].metrics["prevalence"],
        "definitions": evaluation.definitions[1].metrics["prevalence"],
        "matched hours": evaluation.matched_hours.metrics["prevalence"],
        "episodes": evaluation.episodes.alerts_per_true_alert,
    }
    return {name: each.high - each.low for name, each in every.items()}


def test_how_patients_were_drawn_reaches_every_part_of_an_evaluation(found: Measured) -> None:
    rows = _rows()
    outcome = rows["outcome"].to_numpy(dtype=int)
    of_split = measured(rows, _scores(rows), Sample.of_each_class(outcome, rows["patient_id"], 0.25), _about())
    by_chance, narrower = _widths(found), _widths(of_split)
    assert [name for name in by_chance if not narrower[name] < by_chance[name]] == []
    assert narrower["metrics"] < 0.7 * by_chance["metrics"]
    # A subgroup has its patients with the outcome by chance, so that less is known of them.
    assert narrower["subgroups"] / by_chance["subgroups"] > narrower["metrics"] / by_chance["metrics"]


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


def test_each_band_has_its_share_and_what_was_observed_in_it(found: Measured) -> None:
    score, outcome = _scores(_rows()).score, _rows()["outcome"].to_numpy(dtype=bool)
    low, moderate, high = found.evaluation.bands
    assert (low.band, low.share.value) == ("low", pytest.approx((score < THRESHOLD / 2).mean()))
    assert (moderate.band, low.rows + moderate.rows + high.rows) == ("moderate", len(score))
    assert high.share.value == pytest.approx((score >= THRESHOLD).mean())
    assert high.observed.value == pytest.approx(outcome[score >= THRESHOLD].mean())
    assert (high.observed.value, high.observed.low) == (found.metrics["ppv"].value, found.metrics["ppv"].low)


def test_predictions_in_the_high_band_are_counted_per_100_days_of_care(found: Measured) -> None:
    flagged = (_scores(_rows()).score >= THRESHOLD).mean()
    assert found.evaluation.alerts_per_100_patient_days.value == pytest.approx(flagged * 2400)


def test_the_figures_on_matched_hours_are_the_same_scores_on_those_rows_alone(found: Measured) -> None:
    rows, scores = _rows(), _scores(_rows()).score
    mine = rows["matched"].to_numpy()
    matched = found.evaluation.matched_hours
    assert (matched.rows, matched.positives) == (mine.sum(), rows.loc[mine, "outcome"].sum())
    flagged = scores[mine] >= THRESHOLD
    assert matched.metrics["ppv"].value == pytest.approx(rows.loc[mine, "outcome"][flagged].mean())
    assert matched.metrics["prevalence"].value > found.metrics["prevalence"].value
    assert found.evaluation.design == DESIGN


def test_a_daily_task_has_no_matched_hours() -> None:
    daily = TASK.model_copy(update={"task": "daily", "horizon": None, "hours_per_row": 24.0})
    rows = _rows()
    assert (
        measured(
            rows, _scores(rows), Sample.by_chance(rows["patient_id"]), _about(task=daily, definitions=())
        ).evaluation.matched_hours
        is None
    )


def test_people_are_told_once_in_a_lock_out(found: Measured) -> None:
    rows = _rows()
    flagged = _scores(rows).score >= THRESHOLD
    assert found.evaluation.episodes.alerts == rows.loc[flagged, "stay_id"].nunique()  # twelve hours are one lock-out
    assert found.evaluation.episodes.stays == STAYS


def test_the_lead_is_from_the_first_true_alert_to_the_onset(found: Measured) -> None:
    rows = _rows()
    first = rows[rows["outcome"] & (_scores(rows).score >= THRESHOLD)].groupby("stay_id")["hour"].min()
    lead = found.evaluation.lead_time
    assert (lead.stays_with_onset, lead.stays_alerted) == (STAYS // 3, len(first))
    assert lead.median.value == pytest.approx(13 - first.median(), abs=0.5)
    assert (lead.median.low, lead.median.reason) == (None, "no interval: most values are the same")
    assert lead.lower_quartile.low <= lead.lower_quartile.value <= lead.lower_quartile.high


def test_without_onsets_there_is_no_lead() -> None:
    rows = _rows().assign(onset=pd.Series(pd.NaT, index=range(STAYS * HOURS), dtype="datetime64[us, UTC]"))
    task = TASK.model_copy(update={"onset_definition": None})
    evaluation = measured(
        rows, _scores(rows), Sample.by_chance(rows["patient_id"]), _about(definitions=(), task=task)
    ).evaluation
    assert evaluation.lead_time.median.reason == "no stay with the outcome has a time of onset"
    assert evaluation.definitions == ()


def test_by_the_labels_own_definition_the_figures_are_those_of_the_card(found: Measured) -> None:
    own = found.evaluation.definitions[0]
    assert (own.onset, own.rows, own.positives) == ("sofa_time", STAYS * HOURS, STAYS // 3 * 6)
    assert own.metrics == {name: found.metrics[name] for name in own.metrics}


def test_another_definition_leaves_out_rows_after_it_and_moves_the_horizon(found: Measured) -> None:
    other = found.evaluation.definitions[1]
    assert other.onset == "suspected_infection_time"
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


def test_the_evaluation_repeats(found: Measured) -> None:
    rows = _rows()
    assert measured(rows, _scores(rows), Sample.by_chance(rows["patient_id"]), _about()) == found
