"""`python -m benchmarks.coverage [TRAININGS] [SEED] [PATIENTS …]`: how often the intervals of a card contain the truth.

Each simulated training draws the patients of a ward (`benchmarks.coverage_wards` says what is simulated), splits them
as a training does, fits two logistic regressions (one of four inputs, one of two), chooses each threshold by F1 on the
training rows, and has test rows measured as a training does. The truth is that of the process that draws the patients,
for this very model and threshold. PATIENTS are the columns: test patients with the outcome, on average.

Test patients are drawn in two ways, for the same models:

* *split*: a quarter of the patients with the outcome and of those without, as in a split by patient. Their number
  varies half as much as by chance, because that of all patients does, and intervals know it.
* *later*: others than those of the training, each with the outcome by chance, as in a split by calendar.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from benchmarks.coverage_wards import (
    INPUTS,
    LOCK_OUT,
    PREVALENCE,
    SUBGROUP,
    SUBGROUP_SHARE,
    WARDS,
    Courses,
    Model,
    Stays,
    Ward,
)
from benchmarks.measure import table
from wardround.evaluation.alert_episodes import alert_episodes
from wardround.evaluation.alerts import per_100_patient_days
from wardround.evaluation.band_shares import band_shares
from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.leads import lead_time
from wardround.evaluation.measures import FLAGGED, METRICS
from wardround.evaluation.metrics import Metric, measure_with_intervals, paired_with_intervals
from wardround.evaluation.results import Task
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores, Steps, Tally
from wardround.training.splits import TEST_SHARE

POSITIVES: Final = (3, 6, 12, 25, 50, 100)
MEASURES: Final = {**METRICS, **CALIBRATION, "alerts": FLAGGED}
DRAWINGS: Final = ("split", "later")
_QUARTILES: Final = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
_EPISODES: Final = ("alerts_per_100_patient_days", "alerts_per_true_alert", "share_alerted", "share_false_alarm")
# More would only make the models a little better.
_LEARNED_FROM: Final = 600
# Stays that give the truth of leads and alerts, at least and for each test patient: their error is below a tenth of an
# interval's.
_STAYS: Final = 20_000, 60
# The moderate band starts at this part of the threshold of the high one.
_MODERATE: Final = 0.5
_NO_ROWS: Final = 1e-12
_AIM: Final = 93.0, 97.0
_RARE: Final = 0.2
_TASK: Final = Task(task="hourly", horizon=None, at=LOCK_OUT, hours_per_row=1, label="simulated", onset_definition=None)


class Cell:
    """How often an interval was shown, and how often it contained the truth."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, metric: Metric, truth: float) -> None:
        self.counts["all"] += 1
        if metric.low is None or metric.high is None:
            return
        self.counts["shown"] += 1
        self.counts["zero"] += metric.low == metric.high
        self.counts["below"] += truth < metric.low
        self.counts["above"] += truth > metric.high

    def __str__(self) -> str:
        """The coverage, a mark if it is outside the aim by more than its error, and how often it was shown if not
        always: `91.3 - (of 210)`. What is shown in fewer than a fifth of them is shown by luck, and says nothing."""
        shown, every = self.counts["shown"], self.counts["all"]
        if not shown >= _RARE * every or not every:
            return f"shown in {shown}" if shown else "not shown"
        covered = 100 * (1 - (self.counts["below"] + self.counts["above"]) / shown)
        low, high = (end + way * error_at(end, shown) for way, end in zip((-1, 1), _AIM, strict=True))
        mark = " -" if covered < low else " +" if covered > high else ""
        of = f" (of {shown})" if shown < every else ""
        zero = f", {self.counts['zero']} of no width" if self.counts["zero"] else ""
        return f"{covered:.1f}{mark}{of}{zero}"


class Judged(NamedTuple):
    """A test side: a model's scores and those of another, its rows, and how their patients were drawn."""

    scores: tuple[Scores, Scores]
    rows: pd.DataFrame
    sample: Sample


class Truth(NamedTuple):
    """What is true of two models, and of the first in its bands, in the subgroup and over whole stays."""

    figures: tuple[dict[str, float], dict[str, float]]
    in_bands: dict[str, float]
    in_subgroup: dict[str, float]
    courses: Courses | None


def error_at(coverage: float, trainings: int) -> float:
    """Returns the Monte Carlo error of a coverage, both in %."""
    return float(np.sqrt(coverage * (100 - coverage) / trainings))


def main(trainings: int, seed: int, columns: tuple[int, ...]) -> None:
    """Prints a table for each ward and way of drawing: a figure per row."""
    for place, ward in enumerate(WARDS):
        found = [simulated(ward, each, trainings, np.random.default_rng([seed, place, each])) for each in columns]
        for drawing in DRAWINGS:
            names = list(dict.fromkeys(name for cells in found for name in cells[drawing]))
            table(
                f"% of 95 % intervals that contain the truth, {ward.name}, {drawing}; {trainings} simulated trainings,"
                f" seed {seed}. Aim: {_AIM[0]:.0f} to {_AIM[1]:.0f}; - and +: below and above it by more than the error"
                f" (at 95: {error_at(95, trainings):.1f})",
                ["patients with the outcome, on average", *(str(each) for each in columns)],
                ([name, *(str(cells[drawing].get(name, Cell())) for cells in found)] for name in names),
            )


def simulated(
    ward: Ward, positives: int, trainings: int, generator: np.random.Generator
) -> Mapping[str, Mapping[str, Cell]]:
    """Returns the cells of so many trainings, by drawing and figure."""
    cells: dict[str, dict[str, Cell]] = {drawing: defaultdict(Cell) for drawing in DRAWINGS}
    patients = round(positives / PREVALENCE)
    stays = Stays(max(_STAYS[0], _STAYS[1] * patients), generator)
    # A few numbers at a time: more threads only wait for each other.
    with threadpool_limits(1):
        for _ in range(trainings):
            models, test = _trained(ward, round(patients / TEST_SHARE), generator)
            truth = _truth(ward, models, stays)
            for drawing, has_it in zip(DRAWINGS, (test, generator.random(patients) < PREVALENCE), strict=True):
                inputs, rows = ward.rows(has_it, generator)
                judged = Judged(
                    (models[0].scores(inputs), models[1].scores(inputs)), rows, _sample(drawing, ward, rows)
                )
                figures = _compared(judged, truth)
                # The patients of a subgroup are drawn by chance in any case, so once is enough. Of fewer with the
                # outcome than the first column has, nothing is promised.
                enough = drawing == "split" and positives * SUBGROUP_SHARE >= POSITIVES[0]
                of_subgroup = _in_subgroup(judged, truth) if enough else iter(())
                for name, metric, true in chain(figures, of_subgroup):
                    cells[drawing][name].add(metric, true)
    return cells


def _sample(drawing: str, ward: Ward, rows: pd.DataFrame) -> Sample:
    patients = rows["patient_id"]
    if drawing == "split":
        sample = Sample.of_each_class(rows["outcome"].to_numpy(), patients, TEST_SHARE)
    else:
        sample = Sample.by_chance(patients)
    return sample.limited(rows["stay_id"], ward.most_outcomes)


def _compared(judged: Judged, truth: Truth) -> Iterator[tuple[str, Metric, float]]:
    """Yields each figure with its interval, and what is true."""
    (scores, other), rows, sample = judged
    paired = paired_with_intervals(rows["outcome"].to_numpy(), scores, other, sample, MEASURES)
    for name in MEASURES:
        yield name, paired.first[name], truth.figures[0][name]
    moderate = _MODERATE * scores.threshold
    for band in band_shares(rows["outcome"].to_numpy(), scores, moderate, sample):
        for name, metric in (("share", band.share), ("observed", band.observed)):
            yield f"{band.band} band: {name}", metric, truth.in_bands[f"{band.band} {name}"]
    if truth.courses is not None:
        yield from _over_stays(judged, truth.courses)
    for name in MEASURES:
        if name != "prevalence":
            yield f"difference of {name}", paired.difference[name], truth.figures[0][name] - truth.figures[1][name]


def _in_subgroup(judged: Judged, truth: Truth) -> Iterator[tuple[str, Metric, float]]:
    """Yields the figures of the subgroup in every training, also where a card would hide a subgroup so small."""
    mine, outcome = (judged.rows["sex_group"] == SUBGROUP).to_numpy(), judged.rows["outcome"].to_numpy()
    (score, threshold), sample = judged.scores[0], judged.sample.take(mine)
    for name, metric in measure_with_intervals(outcome[mine], score[mine], threshold, sample).items():
        yield f"subgroup: {name}", metric, truth.in_subgroup[name]


def _over_stays(judged: Judged, courses: Courses) -> Iterator[tuple[str, Metric, float]]:
    if len(courses.leads):
        found = lead_time(judged.rows, *judged.scores[0])
        for name, share in _QUARTILES.items():
            yield f"lead, {name.replace('_', ' ')}", getattr(found, name), float(np.quantile(courses.leads, share))
    episodes = alert_episodes(judged.rows, judged.scores[0], judged.sample, _TASK, LOCK_OUT)
    in_100_days = per_100_patient_days(courses.alerts_per_row, _TASK.hours_per_row)
    for name, true in zip(_EPISODES, (in_100_days, *courses[1:4]), strict=True):
        yield f"lock-out: {name.replace('_', ' ')}", getattr(episodes, name), true


def _truth(ward: Ward, models: tuple[Model, Model], stays: Stays) -> Truth:
    first, second = (_figures(ward.tally(model)) for model in models)
    in_subgroup = _figures(ward.tally(models[0], of_subgroup=True))
    return Truth((first, second), _in_bands(ward, models[0]), in_subgroup, ward.courses(models[0], stays))


def _in_bands(ward: Ward, model: Model) -> dict[str, float]:
    """Returns the share of all rows in each band, and the share of these with the outcome."""
    tallies = [ward.tally(replace(model, threshold=part * model.threshold)) for part in (1, _MODERATE, 0)]
    # From the start of each band up: the share of all rows, and that of rows with the outcome.
    above = [(0.0, 0.0), *((tally.true_alerts + tally.false_alerts, tally.true_alerts) for tally in tallies)]
    return {
        f"{band} {name}": float(figure)
        for band, (rows, found) in zip(("high", "moderate", "low"), np.diff(above, axis=0), strict=True)
        for name, figure in (("share", rows / above[-1][0]), ("observed", found / max(rows, _NO_ROWS)))
    }


def _figures(tally: Tally) -> dict[str, float]:
    return {name: each.figure(tally) for name, each in MEASURES.items()}


def _trained(ward: Ward, patients: int, generator: np.random.Generator) -> tuple[tuple[Model, Model], np.ndarray]:
    """Returns a model of all inputs and one of the first two, and which patients of the test side have the outcome."""
    with_outcome = int(generator.binomial(patients, PREVALENCE))
    test = np.repeat([True, False], [round(TEST_SHARE * each) for each in (with_outcome, patients - with_outcome)])
    has_it = np.repeat([True, False], [with_outcome - test.sum(), patients - with_outcome - (~test).sum()])
    inputs, rows = ward.rows(generator.permutation(has_it)[:_LEARNED_FROM], generator)
    outcome = rows["outcome"].to_numpy()
    if len(set(outcome)) < 2:
        return _trained(ward, patients, generator)
    return (_fitted(inputs, outcome, INPUTS), _fitted(inputs, outcome, 2)), test


def _fitted(inputs: np.ndarray, outcome: np.ndarray, used: int) -> Model:
    fitted = LogisticRegression(solver="newton-cholesky").fit(inputs[:, :used], outcome)
    score = fitted.predict_proba(inputs[:, :used])[:, 1]
    tally = Steps.of(outcome, Scores(score, 0.0)).tally()
    found, wrong = np.cumsum(tally.positives), np.cumsum(tally.negatives)
    best = tally.score[np.argmax(found / (found[-1] + found + wrong))]
    return Model(np.r_[fitted.coef_[0], np.zeros(INPUTS - used)], float(fitted.intercept_[0]), float(best))


if __name__ == "__main__":
    _trainings, _seed, *_columns = (int(given) for given in [*sys.argv[1:], *("300", "12")[len(sys.argv) - 1 :]])
    main(_trainings, _seed, tuple(_columns) or POSITIVES)
