"""Compares a candidate with the live model on the same test rows, and judges the promotion gates."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from wardround.evaluation.band_shares import in_percent, useless_bands
from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.gates import VERDICTS, Verdict, in_words, verdict_of
from wardround.evaluation.measures import METRICS
from wardround.evaluation.metric_text import unless_sure
from wardround.evaluation.metrics import Metric, measure_with_intervals, paired_with_intervals
from wardround.evaluation.results import BandShare
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores
from wardround.spec.base import SpecModel
from wardround.spec.promotion import Promotion

GateName = Literal["calibration_slope", "ppv", "bands", "auroc_against_live"]
SLOPE: Final = "calibration_slope"
MEASURES: Final = {
    **{name: METRICS[name] for name in ("auroc", "auprc", "f1", "sensitivity", "ppv", "brier")},
    SLOPE: CALIBRATION["slope"],
}


class Compared(SpecModel):
    """One figure of both models; `difference` is the candidate's minus the live model's."""

    candidate: Metric
    live: Metric | None = None
    difference: Metric | None = None


class Judged(SpecModel):
    """The verdict of one promotion gate."""

    name: GateName
    passed: bool | None = Field(description="None if it cannot judge, which stops nothing.")
    message: str


class OnTest(SpecModel):
    """The counts of what both models scored."""

    rows: int
    patients: int
    patients_with_outcome: int = Field(description="Patients with the outcome in at least one row.")
    not_covered: int = Field(
        default=0,
        description="Test rows that are left out for both, because one of the models does not cover their hour."
        " An earlier release left none out.",
    )

    @property
    def left_out(self) -> str:
        """How many rows are left out and why, as a sentence; empty if none are."""
        if not self.not_covered:
            return ""
        return (
            f"{self.not_covered:,} of {self.rows + self.not_covered:,} test predictions are left out for both models:"
            " they are at hours of a stay that one of the models does not cover, and is never asked about."
        )


class Seen(SpecModel):
    """Whether a model learned from the patients that it is compared on, which makes it look better than it is."""

    answer: Literal["no", "yes", "unknown"]
    patients: int = Field(default=0, description="How many of them it learned from, if the answer is yes.")


class Comparison(SpecModel):
    """comparison.json of a training run."""

    condition: str
    version: str = Field(description="The candidate.")
    live: str | None = Field(description="The live version, even if it could not be scored.")
    not_scored: str | None = Field(default=None, description="Why the live model was not scored.")
    seen: Seen | None = Field(
        default=None, description="About the live model; None if none is live or it is not checked."
    )
    notes: tuple[str, ...] = Field(default=(), description="What a reader must know to judge the figures.")
    test: OnTest
    metrics: dict[str, Compared] = Field(description="On the rows that both models cover.")
    gates: tuple[Judged, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict of all gates together."""
        return verdict_of(gate.passed for gate in self.gates)

    @property
    def fairness(self) -> str:
        """Whether the live model learned from the test patients: what to know before any figure."""
        if self.live is None:
            return "No model is live, so the candidate is not compared."
        if self.not_scored:
            return "The live model could not be scored here, so the candidate is not compared."
        if self.seen is None or self.seen.answer == "unknown":
            return (
                "It is not known whether the live model learned from these test patients: its training run is not here."
                " If it did, it looks better than it is, and the comparison is not fair."
            )
        if self.seen.answer == "no":
            return "The live model learned from none of these test patients."
        return (
            f"The live model learned from {self.seen.patients:,} of these {self.test.patients:,} test patients, so it"
            " looks better than it is, and the comparison is not fair to the candidate."
        )

    @property
    def said(self) -> str:
        """What the gates say; identical texts appear once."""
        return "; ".join(dict.fromkeys(f"{in_words(VERDICTS[gate.passed])}: {gate.message}" for gate in self.gates))

    @property
    def failed(self) -> str:
        """What the failed gates say; empty if none failed."""
        return "; ".join(gate.message for gate in self.gates if gate.passed is False)


def counted(outcome: np.ndarray, patients: pd.Series, not_covered: int = 0) -> OnTest:
    with_outcome = patients[outcome == 1].nunique()
    return OnTest(
        rows=len(outcome),
        patients=patients.nunique(),
        patients_with_outcome=with_outcome,
        not_covered=not_covered,
    )


def compared(outcome: np.ndarray, sample: Sample, candidate: Scores, live: Scores | None) -> dict[str, Compared]:
    """Returns MEASURES of both models, each at its own threshold, and their difference, with intervals."""
    if live is None:
        alone = measure_with_intervals(outcome, *candidate, sample, MEASURES)
        return {name: Compared(candidate=alone[name]) for name in MEASURES}
    ours, theirs, apart = paired_with_intervals(outcome, candidate, live, sample, MEASURES)
    return {name: Compared(candidate=ours[name], live=theirs[name], difference=apart[name]) for name in MEASURES}


class ToJudge(NamedTuple):
    """A candidate's figures on some test rows, beside the live model's if both were compared, and their counts."""

    metrics: dict[str, Compared]
    counts: OnTest


def judged(
    alone: ToJudge,
    beside_live: ToJudge,
    bands: Sequence[BandShare],
    not_compared: str | None,
    limits: Promotion,
) -> tuple[Judged, ...]:
    """Returns the gates' verdicts on the point estimates; intervals are for the person who decides.

    A verdict says so if its figure has no interval. The gate of the bands alone judges by intervals, because in few
    patients a band is often empty by chance.

    Args:
        alone: on all test rows: whatever the live model covers, the candidate must be good at all hours of its own.
        beside_live: on the rows that both models cover.
        bands: what is in each of the candidate's bands.
        not_compared: why there is no figure of a live model; None if there is one.
        limits: limits of the condition.
    """
    own, common = (_too_few(each.counts, limits.min_patients) for each in (alone, beside_live))
    return (
        _unjudged(SLOPE, own) if own else _slope(alone.metrics, limits),
        _unjudged("ppv", own) if own else _ppv(alone.metrics, limits),
        _bands(bands, own),
        _unjudged("auroc_against_live", common) if common else _against_live(beside_live.metrics, not_compared, limits),
    )


def _unjudged(name: GateName, why: str) -> Judged:
    return Judged(name=name, passed=None, message=why)


def _too_few(counts: OnTest, needed: int) -> str:
    without = counts.patients - counts.patients_with_outcome
    if min(counts.patients_with_outcome, without) >= needed:
        return ""
    return (
        f"too few to judge: {counts.patients_with_outcome} test patients with the outcome and {without} without it,"
        f" expected {needed} of each"
    )


def _slope(metrics: dict[str, Compared], limits: Promotion) -> Judged:
    slope, low, high = metrics[SLOPE].candidate, limits.calibration_slope.min, limits.calibration_slope.max
    passed = slope.value is not None and low <= slope.value <= high
    return Judged(name=SLOPE, passed=passed, message=f"calibration slope {_text(slope)}, expected {low:g} to {high:g}")


def _ppv(metrics: dict[str, Compared], limits: Promotion) -> Judged:
    ppv = metrics["ppv"].candidate
    passed = ppv.value is not None and ppv.value >= limits.min_ppv
    return Judged(name="ppv", passed=passed, message=f"PPV {_text(ppv)}, expected at least {limits.min_ppv:g}")


def _bands(bands: Sequence[BandShare], few: str) -> Judged:
    useless, passed = tuple(useless_bands(bands)), None
    if useless:
        passed = False if any(each.sure for each in useless) else None
        message = "; ".join(each.message for each in useless)
    elif few or not bands:
        passed, message = None, few or "the shares of the bands were not measured"
    else:
        passed, message = True, f"predictions of the test patients: {in_percent(bands)}"
    return Judged(name="bands", passed=passed, message=message)


def _against_live(metrics: dict[str, Compared], not_compared: str | None, limits: Promotion) -> Judged:
    difference = metrics["auroc"].difference
    if difference is None or difference.value is None:
        reason = not_compared or (difference.reason if difference else None) or "the AUROC is not defined"
        return Judged(name="auroc_against_live", passed=None, message=f"no live model to compare with: {reason}")
    return Judged(
        name="auroc_against_live",
        passed=difference.value >= -limits.max_auroc_loss,
        message=(
            f"AUROC {difference.value:+.3f}{unless_sure(difference)} against the live model, expected at least"
            f" -{limits.max_auroc_loss:g}"
        ),
    )


def _text(metric: Metric) -> str:
    if metric.value is None:
        return f"undefined ({metric.reason})"
    return f"{metric.value:.2f}{unless_sure(metric)}"
