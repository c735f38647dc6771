"""`python -m benchmarks.coverage [TRAININGS] [SEED]`: how often the intervals of a card contain the truth.

Each simulated training draws patients to train on and patients to test on, fits two logistic regressions (one of four
inputs, one of two), chooses each threshold by F1 on the training rows, and has the test rows measured as a training
does. The truth is that of the process that draws the patients, for this very model and threshold: the scores of each
kind of row are normal, so that their shares at every score are known without drawing anybody; only lead times are those
of 20,000 more stays.

What is simulated: a tenth of the patients have the outcome. *First day*: a row per stay, and every seventh patient has
a second stay, which resembles the first. *Hourly*: a row per hour; a patient keeps a level of his own (two thirds of
the variance), hours next to each other resemble each other (correlation 0.8), long stays score higher, and inputs rise
over the twelve hours before onset, of which the last six have the outcome. The test patients are drawn independently
of those of the training; so the number with the outcome varies about the number in the table. A split by patient, which
keeps the shares of both classes, varies less: there the intervals of prevalence and alerts are wider than they need be.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr
from sklearn.linear_model import LogisticRegression

from benchmarks.measure import table
from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.leads import lead_time
from wardround.evaluation.measures import FLAGGED, METRICS
from wardround.evaluation.metrics import Metric, paired_with_intervals
from wardround.evaluation.tallies import Scores, Steps, Tally

POSITIVES: Final = (3, 6, 12, 25, 50, 100)
MEASURES: Final = {**METRICS, **CALIBRATION, "alerts": FLAGGED}
_PREVALENCE: Final = 0.1
_EFFECTS: Final = np.array([0.9, 0.7, 0.4, 0.2])
# Patients to train on, for each patient to test on, as in a split by patient.
_TRAIN: Final = 3
_SECOND_STAYS: Final = 0.15
_SHORT, _LONG, _LONG_SHARE, _LONG_EFFECT = 14, 40, 0.4, 0.3
_LEVEL, _NOISE, _CORRELATION = 0.8, 0.6, 0.8
_HORIZON, _RISING, _STEEPNESS = 6, 12, 1.6
_STEPS: Final = 2000
_LEADS: Final = 20_000
_QUARTILES: Final = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


class Kind(NamedTuple):
    """Rows of one kind: their outcome, their share of all rows, and what their inputs are raised by."""

    outcome: int
    share: float
    raised: np.ndarray


@dataclass(frozen=True)
class Model:
    """A logistic regression and its threshold."""

    weights: np.ndarray
    bias: float
    threshold: float

    def scores(self, inputs: np.ndarray) -> Scores:
        return Scores(expit(self.bias + inputs @ self.weights), self.threshold)


@dataclass(frozen=True)
class Ward:
    """A process that draws patients, and what is true of it. `spread`: standard deviation of an input within a kind."""

    name: str
    spread: float

    def kinds(self) -> Iterator[Kind]:
        raise NotImplementedError

    def rows(self, patients: int, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        """Returns the inputs of rows, and stay_id, patient_id, as_of, outcome and onset of each."""
        raise NotImplementedError

    def leads(self, _model: Model, _generator: np.random.Generator) -> np.ndarray:
        """Returns the lead times of many stays with a true alert; empty if there are no onsets."""
        return np.zeros(0)

    def tally(self, model: Model) -> Tally:
        """Returns the shares of all rows at each score of the model, in fine steps that keep to the threshold."""
        kinds, wide = list(self.kinds()), self.spread * float(np.linalg.norm(model.weights))
        centre = np.array([model.bias + kind.raised @ model.weights for kind in kinds])
        edges = np.linspace(centre.min() - 6 * wide, centre.max() + 6 * wide, _STEPS)
        edges = np.sort(np.r_[edges, np.clip(logit(model.threshold), edges[0], edges[-1])])[::-1]
        shares = np.zeros((2, _STEPS))
        for kind, middle in zip(kinds, centre, strict=True):
            shares[kind.outcome] -= kind.share * np.diff(ndtr((edges - middle) / wide))
        score = expit((edges[:-1] + edges[1:]) / 2)
        return Tally(score, shares[1], shares[0], int((score >= model.threshold).sum()))


class FirstDay(Ward):
    """A row per stay."""

    def kinds(self) -> Iterator[Kind]:
        positive = _PREVALENCE * (1 + _SECOND_STAYS / 2) / (1 + _SECOND_STAYS)
        yield Kind(1, positive, _EFFECTS)
        yield Kind(0, 1 - positive, 0 * _EFFECTS)

    def rows(self, patients: int, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        stays = 1 + (generator.random(patients) < _SECOND_STAYS)
        patient = np.repeat(np.arange(patients), stays)
        again = np.r_[False, np.diff(patient) == 0]
        # Of patients with the outcome, half have it in their second stay too.
        ill = (generator.random(patients) < _PREVALENCE)[patient] & ~(again & (generator.random(len(patient)) < 0.5))
        level, own = generator.normal(size=(patients, 4)), generator.normal(size=(len(patient), 4))
        inputs = np.sqrt(0.5) * (level[patient] + own) + ill[:, None] * _EFFECTS
        return inputs, pd.DataFrame({"patient_id": patient, "outcome": ill.astype(int)})


class Hourly(Ward):
    """A row per hour of a stay; every patient has one stay."""

    def kinds(self) -> Iterator[Kind]:
        hours = _LONG_SHARE * _LONG + (1 - _LONG_SHARE) * _SHORT
        for length, share in ((_LONG, _LONG_SHARE), (_SHORT, 1 - _LONG_SHARE)):
            longer = np.full(4, _LONG_EFFECT * (length == _LONG))
            yield Kind(0, share * (1 - _PREVALENCE) * length / hours, longer)
            for left in range(1, length + 1):
                yield Kind(int(left <= _HORIZON), share * _PREVALENCE / hours, longer + _rise(left) * _EFFECTS)

    def rows(self, patients: int, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        long, ill = generator.random(patients) < _LONG_SHARE, generator.random(patients) < _PREVALENCE
        lengths = np.where(long, _LONG, _SHORT)
        patient = np.repeat(np.arange(patients), lengths)
        hour = np.arange(len(patient)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        left = lengths[patient] - hour
        level, noise = generator.normal(size=(patients, 4)), _noise((patients, _LONG, 4), generator)
        inputs = _LEVEL * level[patient] + _NOISE * noise[patient, hour] + _LONG_EFFECT * long[patient, None]
        inputs += (ill[patient] * _rise(left))[:, None] * _EFFECTS
        start = pd.Timestamp("2150-01-01T00:00Z")
        ends = lengths - 1 + generator.random(patients)
        onset = start + pd.to_timedelta(np.where(ill, ends, np.nan)[patient], unit="h")
        rows = {"stay_id": patient, "patient_id": patient, "as_of": start + pd.to_timedelta(hour, unit="h")}
        return inputs, pd.DataFrame(
            {**rows, "outcome": (ill[patient] & (left <= _HORIZON)).astype(int), "onset": onset}
        )

    def leads(self, model: Model, generator: np.random.Generator) -> np.ndarray:
        left = np.arange(_HORIZON, 0, -1)
        long = generator.random(_LEADS) < _LONG_SHARE
        size = float(np.linalg.norm(model.weights))
        level, noise = generator.normal(size=_LEADS), _noise((_LEADS, _HORIZON), generator)
        middle = _rise(left) * (_EFFECTS @ model.weights) + (_LONG_EFFECT * model.weights.sum() * long)[:, None]
        alerts = expit(model.bias + middle + size * (_LEVEL * level[:, None] + _NOISE * noise)) >= model.threshold
        until = left[np.argmax(alerts, axis=1)] - 1 + generator.random(_LEADS)
        return np.asarray(until[alerts.any(axis=1)])


def _rise(left: np.ndarray | int) -> np.ndarray:
    """Returns how far inputs have risen when so many hours are left until onset, rounded up."""
    return _STEEPNESS * np.clip((_RISING + 1 - np.asarray(left)) / _RISING, 0, 1)


def _noise(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Returns standard normal noise whose neighbours along the second axis resemble each other."""
    noise = generator.normal(size=shape)
    for hour in range(1, shape[1]):
        noise[:, hour] = _CORRELATION * noise[:, hour - 1] + np.sqrt(1 - _CORRELATION**2) * noise[:, hour]
    return noise


WARDS: Final = (FirstDay("a row per stay", 1.0), Hourly("a row per hour", float(np.hypot(_LEVEL, _NOISE))))


class Coverage:
    """How often each figure's interval was shown, and how often it contained the truth."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, name: str, metric: Metric, truth: float) -> None:
        counts = self.counts[name]
        counts["all"] += 1
        if metric.low is None or metric.high is None:
            return
        counts["shown"] += 1
        counts["zero"] += metric.low == metric.high
        counts["covered"] += metric.low <= truth <= metric.high

    def cell(self, name: str) -> str:
        """Returns the coverage, and if it was not always shown how often it was: `95.3 (of 210)`."""
        counts = self.counts[name]
        if not counts["shown"]:
            return "not shown"
        of = f" (of {counts['shown']})" if counts["shown"] < counts["all"] else ""
        zero = f", {counts['zero']} of no width" if counts["zero"] else ""
        return f"{100 * counts['covered'] / counts['shown']:.1f}{of}{zero}"


def main(trainings: int, seed: int) -> None:
    """Prints a table for each ward: a figure per row, a number of patients with the outcome per column."""
    for place, ward in enumerate(WARDS):
        found = [
            _simulated(ward, positives, trainings, np.random.default_rng([seed, place, positives]))
            for positives in POSITIVES
        ]
        names = list(dict.fromkeys(name for coverage in found for name in coverage.counts))
        table(
            f"% of 95 % intervals that contain the truth, {ward.name}; {trainings} simulated trainings, seed {seed}."
            f" Monte Carlo error at 95 %: {100 * np.sqrt(0.95 * 0.05 / trainings):.1f}",
            ["patients with the outcome, on average", *(str(each) for each in POSITIVES)],
            ([name, *(coverage.cell(name) for coverage in found)] for name in names),
        )


def _simulated(ward: Ward, positives: int, trainings: int, generator: np.random.Generator) -> Coverage:
    coverage = Coverage()
    for _ in range(trainings):
        models = _trained(ward, _TRAIN * round(positives / _PREVALENCE), generator)
        inputs, rows = ward.rows(round(positives / _PREVALENCE), generator)
        outcome = rows["outcome"].to_numpy()
        scores, tallies = [model.scores(inputs) for model in models], [ward.tally(model) for model in models]
        truths = [{name: each.figure(tally) for name, each in MEASURES.items()} for tally in tallies]
        paired = paired_with_intervals(outcome, scores[0], scores[1], rows["patient_id"], MEASURES)
        for name in MEASURES:
            coverage.add(name, paired.first[name], truths[0][name])
        leads = ward.leads(models[0], generator)
        if len(leads):
            found = lead_time(rows, *scores[0])
            for name, share in _QUARTILES.items():
                coverage.add(f"lead, {name.replace('_', ' ')}", getattr(found, name), float(np.quantile(leads, share)))
        for name in MEASURES:
            if name != "prevalence":
                coverage.add(f"difference of {name}", paired.difference[name], truths[0][name] - truths[1][name])
    return coverage


def _trained(ward: Ward, patients: int, generator: np.random.Generator) -> tuple[Model, Model]:
    """Returns a model of all inputs and one of the first two; draws again if no row or every row has the outcome."""
    inputs, rows = ward.rows(patients, generator)
    outcome = rows["outcome"].to_numpy()
    if len(set(outcome)) < 2:
        return _trained(ward, patients, generator)
    return _fitted(inputs, outcome, 4), _fitted(inputs, outcome, 2)


def _fitted(inputs: np.ndarray, outcome: np.ndarray, used: int) -> Model:
    fitted = LogisticRegression().fit(inputs[:, :used], outcome)
    score = fitted.predict_proba(inputs[:, :used])[:, 1]
    tally = Steps.of(outcome, Scores(score, 0.0)).tally()
    found, wrong = np.cumsum(tally.positives), np.cumsum(tally.negatives)
    best = tally.score[np.argmax(found / (found[-1] + found + wrong))]
    return Model(np.r_[fitted.coef_[0], np.zeros(4 - used)], float(fitted.intercept_[0]), float(best))


if __name__ == "__main__":
    main(*(int(given) for given in [*sys.argv[1:], *("300", "12")[len(sys.argv) - 1 :]]))
