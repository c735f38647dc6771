"""Processes that draw patients, and what is true of them for a given model: the wards of `benchmarks.coverage`.

A tenth of the patients have the outcome. *First day*: a row per stay, and every seventh patient has a second stay,
which resembles the first. *Hourly*: a row per hour; a patient keeps a level of his own (two thirds of the variance),
hours next to each other resemble each other (correlation 0.8), long stays score higher, and inputs rise over the twelve
hours before onset, of which the last six have the outcome. A third of the patients (hourly: those with long stays) form
a subgroup.

The scores of each kind of row are normal, so that their shares at every score are known without drawing anybody. Lead
times and alerts with the lock-out depend on the whole course of a stay: their truth is that of many more stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr

from wardround.evaluation.tallies import Scores, Tally

PREVALENCE: Final = 0.1
LOCK_OUT: Final = timedelta(hours=12)
SUBGROUP: Final = "third"
SUBGROUP_SHARE: Final = 1 / 3
INPUTS: Final = 4
_EFFECTS: Final = np.array([0.9, 0.7, 0.4, 0.2])
_SECOND_STAYS: Final = 0.15
_SHORT, _LONG, _LONG_EFFECT = 14, 40, 0.3
_LEVEL, _NOISE, _CORRELATION = 0.8, 0.6, 0.8
_HORIZON, _RISING, _STEEPNESS = 6, 12, 1.6
_STEPS: Final = 1000
# Of the stays that give the truth, as many have the outcome as do not.
_TRUTH_ILL: Final = 0.5


class Kind(NamedTuple):
    """Rows of one kind: outcome, whether of the subgroup, share of all rows, and what their inputs are raised by."""

    outcome: int
    subgroup: bool
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


class Courses(NamedTuple):
    """What is true of whole stays: counts of alerts per row or stay, and lead times of stays with a true alert."""

    alerts_per_row: float
    alerts_per_true_alert: float
    share_alerted: float
    share_false_alarm: float
    leads: np.ndarray


@dataclass(frozen=True)
class Ward:
    """A process that draws patients, and what is true of it.

    Attributes:
        spread: standard deviation of an input within a kind.
        most_outcomes: how many rows of a stay can have the outcome; None if all of them can.
    """

    name: str
    spread: float
    most_outcomes: int | None = None

    def kinds(self) -> Iterator[Kind]:
        raise NotImplementedError

    def rows(self, has_it: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        """Returns the inputs of the rows of patients with the outcome or without, and what an evaluation needs of each:
        stay_id, patient_id, outcome, the subgroup as sex_group and, if hourly, as_of and onset."""
        raise NotImplementedError

    def courses(self, _model: Model, _stays: "Stays") -> Courses | None:
        """Returns what is true of whole stays; None if a stay is one row."""
        return None

    def tally(self, model: Model, of_subgroup: bool = False) -> Tally:
        """Returns the shares of all rows at each score of the model, in fine steps that keep to the threshold."""
        kinds = [kind for kind in self.kinds() if kind.subgroup or not of_subgroup]
        wide = self.spread * float(np.linalg.norm(model.weights))
        centre = np.array([model.bias + kind.raised @ model.weights for kind in kinds])
        edges = np.linspace(centre.min() - 6 * wide, centre.max() + 6 * wide, _STEPS)
        edges = np.sort(np.r_[edges, np.clip(logit(model.threshold), edges[0], edges[-1])])[::-1]
        shares = np.zeros((2, _STEPS))
        below = ndtr((edges - centre[:, None]) / wide) * np.array([[kind.share] for kind in kinds])
        for outcome in (0, 1):
            shares[outcome] = -np.diff(below[[kind.outcome == outcome for kind in kinds]].sum(axis=0))
        score = expit((edges[:-1] + edges[1:]) / 2)
        return Tally(score, shares[1], shares[0], int((score >= model.threshold).sum()))


class FirstDay(Ward):
    """A row per stay."""

    def kinds(self) -> Iterator[Kind]:
        positive = PREVALENCE * (1 + _SECOND_STAYS / 2) / (1 + _SECOND_STAYS)
        for subgroup, share in ((True, SUBGROUP_SHARE), (False, 1 - SUBGROUP_SHARE)):
            yield Kind(1, subgroup, share * positive, _EFFECTS)
            yield Kind(0, subgroup, share * (1 - positive), 0 * _EFFECTS)

    def rows(self, has_it: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        stays = 1 + (generator.random(len(has_it)) < _SECOND_STAYS)
        patient = np.repeat(np.arange(len(has_it)), stays)
        again = np.r_[False, np.diff(patient) == 0]
        # Of patients with the outcome, half have it in their second stay too.
        ill = has_it[patient] & ~(again & (generator.random(len(patient)) < 0.5))
        level, own = generator.normal(size=(len(has_it), INPUTS)), generator.normal(size=(len(patient), INPUTS))
        inputs = np.sqrt(0.5) * (level[patient] + own) + ill[:, None] * _EFFECTS
        group = _named(generator.random(len(has_it)) < SUBGROUP_SHARE)[patient]
        rows = {"stay_id": np.arange(len(patient)), "patient_id": patient, "outcome": ill.astype(int)}
        return inputs, pd.DataFrame({**rows, "sex_group": group})


class Hourly(Ward):
    """A row per hour of a stay; every patient has one stay."""

    def kinds(self) -> Iterator[Kind]:
        hours = SUBGROUP_SHARE * _LONG + (1 - SUBGROUP_SHARE) * _SHORT
        for length, share in ((_LONG, SUBGROUP_SHARE), (_SHORT, 1 - SUBGROUP_SHARE)):
            long = length == _LONG
            longer = np.full(INPUTS, _LONG_EFFECT * long)
            yield Kind(0, long, share * (1 - PREVALENCE) * length / hours, longer)
            for left in range(1, length + 1):
                yield Kind(int(left <= _HORIZON), long, share * PREVALENCE / hours, longer + _rise(left) * _EFFECTS)

    def rows(self, has_it: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
        patients = len(has_it)
        long = generator.random(patients) < SUBGROUP_SHARE
        lengths = np.where(long, _LONG, _SHORT)
        patient = np.repeat(np.arange(patients), lengths)
        hour = np.arange(len(patient)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        left = lengths[patient] - hour
        level, noise = generator.normal(size=(patients, INPUTS)), _noise((patients, _LONG, INPUTS), generator)
        inputs = _LEVEL * level[patient] + _NOISE * noise[patient, hour] + _LONG_EFFECT * long[patient, None]
        inputs += (has_it[patient] * _rise(left))[:, None] * _EFFECTS
        start = pd.Timestamp("2150-01-01T00:00Z")
        ends = lengths - 1 + generator.random(patients)
        onset = start + pd.to_timedelta(np.where(has_it, ends, np.nan)[patient], unit="h")
        rows = {"stay_id": patient, "patient_id": patient, "as_of": start + pd.to_timedelta(hour, unit="h")}
        rows |= {"outcome": (has_it[patient] & (left <= _HORIZON)).astype(int), "onset": onset}
        return inputs, pd.DataFrame({**rows, "sex_group": _named(long)[patient]})

    def courses(self, model: Model, stays: "Stays") -> Courses:
        size = float(np.linalg.norm(model.weights))
        raised = stays.rise * np.float32(_EFFECTS @ model.weights)
        raised += (_LONG_EFFECT * model.weights.sum() * stays.long)[:, None].astype(np.float32)
        limit = float(logit(model.threshold)) - model.bias
        flagged = (raised + np.float32(size) * stays.moved >= np.float32(limit)) & stays.there
        alerts, true_alerts = _with_lock_out(flagged, stays.outcome)
        weight = np.where(stays.ill, PREVALENCE / _TRUTH_ILL, (1 - PREVALENCE) / (1 - _TRUTH_ILL))
        found = flagged & stays.outcome
        alerted = found.any(axis=1)
        all_alerts = weight @ alerts
        return Courses(
            alerts_per_row=float(all_alerts / (weight @ stays.there.sum(axis=1))),
            alerts_per_true_alert=float(all_alerts / (weight @ true_alerts)) if true_alerts.any() else np.inf,
            share_alerted=float(alerted[stays.ill].mean()),
            share_false_alarm=float((alerts[~stays.ill] > 0).mean()),
            leads=(stays.left[alerted, np.argmax(found[alerted], axis=1)] - 1 + stays.part_of_hour[alerted]),
        )


class Stays:
    """Many hourly stays (stays x hours) whose scores any model gives: they differ in size and threshold alone."""

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        hour = np.arange(_LONG)
        self.long = generator.random(count) < SUBGROUP_SHARE
        self.ill = generator.random(count) < _TRUTH_ILL
        lengths = np.where(self.long, _LONG, _SHORT)[:, None]
        self.left = lengths - hour
        self.there = self.left > 0
        self.outcome = self.ill[:, None] & self.there & (self.left <= _HORIZON)
        self.rise = (self.ill[:, None] * _rise(self.left)).astype(np.float32)
        noise = _noise((count, _LONG), generator)
        self.moved = (_LEVEL * generator.normal(size=(count, 1)) + _NOISE * noise).astype(np.float32)
        self.part_of_hour = generator.random(count)


def _with_lock_out(flagged: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each stay's alerts and true alerts; all are stays x hours."""
    lock_out = int(LOCK_OUT / timedelta(hours=1))
    alerts, true_alerts = np.zeros(len(flagged), dtype=int), np.zeros(len(flagged), dtype=int)
    last, counted = np.full(len(flagged), -lock_out), np.zeros(len(flagged), dtype=bool)
    for hour in range(flagged.shape[1]):
        told = flagged[:, hour] & (hour - last >= lock_out)
        alerts += told
        last[told] = hour
        counted &= ~told
        new = flagged[:, hour] & outcome[:, hour] & ~counted
        true_alerts += new
        counted |= new
    return alerts, true_alerts


def _named(of_subgroup: np.ndarray) -> np.ndarray:
    return np.where(of_subgroup, SUBGROUP, "others").astype(object)


def _rise(left: np.ndarray | int) -> np.ndarray:
    """Returns how far inputs have risen when so many hours are left until onset, rounded up."""
    return _STEEPNESS * np.clip((_RISING + 1 - np.asarray(left)) / _RISING, 0, 1)


def _noise(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Returns standard normal noise whose neighbours along the second axis resemble each other."""
    noise = generator.normal(size=shape)
    for hour in range(1, shape[1]):
        noise[:, hour] = _CORRELATION * noise[:, hour - 1] + np.sqrt(1 - _CORRELATION**2) * noise[:, hour]
    return noise


WARDS: Final = (FirstDay("a row per stay", 1.0), Hourly("a row per hour", float(np.hypot(_LEVEL, _NOISE)), _HORIZON))
