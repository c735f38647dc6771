"""The gates against leakage, each of which judges rows, folds or a candidate and reports what it found.

Only a gate that fails stops a training. With few patients, chance alone exceeds the limits: the gate then does not
judge, and says so.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from wardround.candidates.base import Fitted, HyperParameters
from wardround.evaluation.gates import GateResult
from wardround.evaluation.measures import METRICS
from wardround.evaluation.metric_text import unless_sure
from wardround.evaluation.metrics import Metric, auroc, paired_with_intervals
from wardround.evaluation.tallies import Scores
from wardround.spec.leakage import Leakage
from wardround.training.clocks import TimeScores
from wardround.training.fitting import TrainingRows, fit, for_a_sample, inputs_from, out_of_fold

# Gates use at most this many rows, of whole patients.
_MOST_ROWS: Final = 50_000
_REPEATS: Final = 10
# With permuted labels all rows of a patient have the same outcome, so that a few of them are as good as all.
_MOST_PERMUTED: Final = 5_000
# Student's t for nine degrees of freedom: clean data exceed an interval of this width once in a thousand trainings.
_T: Final = 4.781
# A wider interval would accept differences that nobody would call chance.
_WIDEST: Final = 0.2
# How many features are examined more closely, and how many rows select them.
_CLOSER: Final = 5
_ROWS_TO_RANK: Final = 2_000


def patient_overlap(patients: pd.Series, folds: pd.Series) -> GateResult:
    """Checks that no patient is on both sides or in two folds: a model would be judged on patients that it knows.

    Args:
        patients: the patient of each row.
        folds: the fold of each row; the test set counts as one.
    """
    shared = int((folds.groupby(patients.to_numpy()).nunique() > 1).sum())
    said = f"{shared} patients are on two sides or in two folds, expected none; split again by patient"
    message = said if shared else "no patient is on two sides or in two folds"
    return GateResult(name="patient_overlap", passed=shared == 0, found=shared, limit=0, message=message)


def permuted_labels(
    candidate: type[Fitted], rows: TrainingRows, setting: HyperParameters, limits: Leakage, seed: int
) -> GateResult:
    """Permutes the outcomes among the patients of each fold, so that nothing can be learned: the AUROC must be 0.5.

    Ten times, the candidate learns without one fold and is judged on it; all rows of a patient get the same outcome.
    The mean may differ from 0.5 by a 99.9 % interval of the ten. Of patients with many rows a few are used.
    """
    few = _too_few(rows.outcome, rows.patients, limits)
    if few:
        return _permuted(None, None, None, few)
    some, folds = examined(rows, seed), np.unique(rows.folds)
    found = [
        _with_permuted(candidate, some, setting, int(folds[repeat % len(folds)]), (seed, repeat))
        for repeat in range(_REPEATS)
    ]
    if np.isnan(found).any():
        return _permuted(None, None, None, "a fold has patients of one outcome only: too few to judge")
    mean, width = float(np.mean(found)), float(_T * np.std(found, ddof=1) / np.sqrt(_REPEATS))
    said = f"AUROC {mean:.3f} with permuted labels, expected 0.5 within {width:.3f}"
    limit = 0.5 + width if mean >= 0.5 else 0.5 - width
    if abs(mean - 0.5) > width:
        remedy = "scores know the outcome from elsewhere: look for a patient under two ids, or features from later"
        return _permuted(False, mean, limit, f"{said}; {remedy}")
    if width > _WIDEST:
        return _permuted(None, mean, limit, f"{said}: too few patients to judge")
    return _permuted(True, mean, limit, said)


def _permuted(passed: bool | None, found: float | None, limit: float | None, message: str) -> GateResult:
    return GateResult(name="permuted_labels", passed=passed, found=found, limit=limit, message=message)


def _with_permuted(
    candidate: type[Fitted], rows: TrainingRows, setting: HyperParameters, fold: int, seed: tuple[int, int]
) -> float:
    permuted = rows._replace(outcome=_permuted_outcomes(rows, seed)).thinned(_MOST_PERMUTED, seed[1])
    setting = for_a_sample(candidate, setting, len(permuted.outcome) / len(rows.outcome))
    inside = permuted.folds == fold
    seen, unseen = permuted.take(~inside), permuted.take(inside)
    if len(np.unique(seen.outcome)) < 2:
        return np.nan
    return auroc(unseen.outcome, fit(candidate, seen, seed[0], setting).scores(unseen.features))


def _permuted_outcomes(rows: TrainingRows, seed: tuple[int, int]) -> np.ndarray:
    """Returns, for each row, whether another patient of the same fold, drawn at random, ever had the outcome."""
    generator = np.random.default_rng(seed)
    facts = pd.DataFrame({"patient": rows.patients.to_numpy(), "fold": rows.folds, "outcome": rows.outcome})
    known = facts.groupby("patient", sort=True).agg(fold=("fold", "first"), outcome=("outcome", "max"))
    dealt = known.groupby("fold")["outcome"].transform(lambda mine: generator.permutation(mine.to_numpy()))
    return np.asarray(rows.patients.map(dealt).to_numpy(), dtype=int)


def dominant_feature(
    candidate: type[Fitted],
    rows: TrainingRows,
    setting: HyperParameters,
    limits: Leakage,
    seed: int,
    time: TimeScores | None = None,
) -> GateResult:
    """Names features without which the out-of-fold AUROC falls by more than the limit: they may know too much.

    Of the features that move scores most, those whose known values the scores need are left out, one at a time. Clocks
    are left out together, as either stands in for the other; they are named, but are no leak and never fail the gate.

    Args:
        candidate: what is fitted.
        rows: the training rows.
        setting: its hyper-parameters.
        limits: limits of the condition.
        seed: decides everything random.
        time: scores of `examined(rows)` with and without the clocks among the features; None if there are none.
    """
    few = _too_few(rows.outcome, rows.patients, limits)
    if few:
        return _dominant(None, None, limits, few)
    some = time.rows if time else examined(rows, seed)
    whole = time.whole if time else out_of_fold(candidate, some, seed, setting)
    clocks = time.columns if time else ()
    costs: dict[tuple[str, ...], Metric] = {
        (column,): _cost(candidate, some, setting, whole, column, seed)
        for column in _suspects(candidate, some, setting, limits, seed, clocks)
    }
    if time:
        costs[clocks] = _fall(some, whole, time.without)
    large = {columns: cost for columns, cost in costs.items() if _large(cost, limits)}
    named = [columns for columns, cost in large.items() if _sure(cost)]
    features, timed = [columns for columns in named if columns != clocks], bool(time) and clocks in named
    # If features are named, the figure must be one of theirs.
    found = max((costs[columns].value or 0.0 for columns in features or named or costs), default=0.0)
    columns = tuple(name for (name,) in features)
    unsure = [columns for columns, cost in large.items() if columns != clocks and cost.interval is None]
    if unsure and not features:
        return _dominant(None, found, limits, _not_sure(unsure[0], large[unsure[0]]))
    said = [_of_features(columns, found, limits)] if features or not named else []
    if time and timed:
        said.append(_of_clocks(time, costs[clocks]))
    passed = not features or limits.dominant_feature == "name"
    gate = _dominant(passed, found, limits, ". ".join(said), columns)
    return gate.model_copy(update={"clocks": clocks}) if timed else gate


def examined(rows: TrainingRows, seed: int) -> TrainingRows:
    """Returns the rows that gates examine: all, or those of randomly drawn patients if there are very many."""
    return rows.some(_MOST_ROWS, seed)


def _not_sure(columns: Sequence[str], cost: Metric) -> str:
    fall = f"without {', '.join(columns)} the AUROC falls by {cost.value:.3f}"
    return f"{fall}{unless_sure(cost)}: it may be chance, so this is not judged"


def _of_features(named: Sequence[str], found: float, limits: Leakage) -> str:
    if not named:
        return f"no feature surely costs more than {limits.max_feature_cost} AUROC"
    return (
        f"without {', '.join(named)} the AUROC falls by {found:.3f}, more than {limits.max_feature_cost}; make sure"
        " that it is known at the prediction and no sign of the outcome itself"
    )


def _of_clocks(time: TimeScores, cost: Metric) -> str:
    alone, rest = (auroc(time.rows.outcome, scores) for scores in (time.alone, time.without))
    return (
        f"Without the time since the stay began ({', '.join(time.columns)}) the AUROC falls by {cost.value:.3f}."
        " That is a clock and no leak: it advances by an hour each hour in every stay, so nothing that was recorded"
        f" later can be in it. Time alone reaches {alone:.3f}, and all else without it {rest:.3f}"
    )


def _dominant(
    passed: bool | None, found: float | None, limits: Leakage, message: str, columns: tuple[str, ...] = ()
) -> GateResult:
    limit = limits.max_feature_cost
    return GateResult(
        name="dominant_feature", passed=passed, found=found, limit=limit, message=message, columns=columns
    )


def _large(cost: Metric, limits: Leakage) -> bool:
    return cost.value is not None and cost.value > limits.max_feature_cost


def _sure(cost: Metric) -> bool:
    return cost.low is not None and cost.low > 0


def _suspects(
    candidate: type[Fitted],
    rows: TrainingRows,
    setting: HyperParameters,
    limits: Leakage,
    seed: int,
    clocks: Sequence[str],
) -> Iterator[str]:
    """Yields features that move scores most and that cost half the limit if one fold's model gets no values of them.

    Clocks are passed over.
    """
    inside = rows.folds == rows.folds.min()
    seen, unseen = rows.take(~inside), rows.take(inside)
    fitted, imputation = fit(candidate, seen, seed, setting)
    inputs = inputs_from(unseen.features, imputation)
    moved = np.abs(fitted.contributions(inputs[:_ROWS_TO_RANK]).values).mean(axis=0)
    best = auroc(unseen.outcome, fitted.predict(inputs))
    names = list(imputation)
    ranked = [place for place in np.argsort(-moved, kind="stable") if names[place] not in clocks]
    for place in ranked[:_CLOSER]:
        blind = inputs.copy()
        blind[:, place] = list(imputation.values())[place]
        if best - auroc(unseen.outcome, fitted.predict(blind)) > limits.max_feature_cost / 2:
            yield names[place]


def _cost(
    candidate: type[Fitted], rows: TrainingRows, setting: HyperParameters, whole: np.ndarray, column: str, seed: int
) -> Metric:
    return _fall(rows, whole, out_of_fold(candidate, rows.without(column), seed, setting))


def _fall(rows: TrainingRows, whole: np.ndarray, without: np.ndarray) -> Metric:
    """Returns by how much the AUROC of the second scores is lower than that of the first."""
    pair, measures = (Scores(whole, 0.5), Scores(without, 0.5)), {"auroc": METRICS["auroc"]}
    return paired_with_intervals(rows.outcome, *pair, rows.sample, measures).difference["auroc"]


def too_good(
    found: Metric, outcome: np.ndarray, patients: pd.Series, most_important: Sequence[str], limits: Leakage
) -> GateResult:
    """Checks the AUROC on the test set: above the limit, it is more often a leak than a discovery.

    Args:
        found: the AUROC on the test set.
        outcome: outcome of each row of the test set.
        patients: patient of each row.
        most_important: the features to examine first.
        limits: limits of the condition.
    """
    limit = limits.max_auroc
    if found.value is None:
        return GateResult(
            name="too_good",
            passed=None,
            found=None,
            limit=limit,
            message=f"no AUROC on the test patients: {found.reason}",
        )
    said = f"AUROC {found.value:.3f}{unless_sure(found)} on the test patients, expected at most {limit}"
    if found.value <= limit:
        return GateResult(name="too_good", passed=True, found=found.value, limit=limit, message=said)
    few = _too_few(outcome, patients, limits)
    remedy = few or (
        f"look at {', '.join(most_important)} first; if the figure is right, say why with --explained and train again"
    )
    return GateResult(
        name="too_good", passed=None if few else False, found=found.value, limit=limit, message=f"{said}; {remedy}"
    )


def explained(gate: GateResult, why: str | None) -> GateResult:
    """Adds the request's explanation to the gate `too_good`, which then passes; returns every other gate unchanged."""
    if gate.name != "too_good" or not why:
        return gate
    return gate.model_copy(update={"passed": True if gate.passed is False else gate.passed, "explanation": why})


def failed(gates: Sequence[GateResult]) -> tuple[GateResult, ...]:
    """Returns the gates that stop a training."""
    return tuple(gate for gate in gates if gate.passed is False)


def _too_few(outcome: np.ndarray, patients: pd.Series, limits: Leakage) -> str:
    """Returns why the patients are too few to judge; empty if they are not."""
    has_it = pd.Series(outcome).groupby(patients.to_numpy()).max().astype(bool)
    counts = {"with the outcome": int(has_it.sum()), "without it": int((~has_it).sum())}
    name, fewest = min(counts.items(), key=lambda count: count[1])
    if fewest >= limits.min_patients:
        return ""
    return f"too few patients to judge: {fewest} {name}, expected at least {limits.min_patients}"
