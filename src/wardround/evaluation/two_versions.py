"""Computes the figures of two stored versions on the same test rows, and how they differ."""

from typing import Final

import numpy as np
from pydantic import Field

from wardround.evaluation.alerts import in_100_patient_days
from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.comparison import OnTest, Seen
from wardround.evaluation.measures import FLAGGED, METRICS
from wardround.evaluation.metrics import Metric, paired_with_intervals
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores
from wardround.spec.base import SpecModel

_AT_HIGH: Final = {
    **{name: METRICS[name] for name in ("auroc", "auprc", "brier")},
    "calibration_slope": CALIBRATION["slope"],
    "calibration_intercept": CALIBRATION["intercept"],
    **{name: METRICS[name] for name in ("sensitivity", "ppv", "f1")},
    "alerts_high": FLAGGED,
}
_AT_MODERATE: Final = {"alerts_moderate": FLAGGED}
_ALERTS: Final = ("alerts_high", "alerts_moderate")


class Pair(SpecModel):
    """One figure of both versions; `difference` is the first minus the second."""

    first: Metric
    second: Metric
    difference: Metric


class ComparedVersion(SpecModel):
    """A version, and whether it learned from the patients that it is compared on."""

    version: str
    seen: Seen

    def fairness_in_words(self, patients: int) -> str:
        """Returns what a reader must know about the version before any figure."""
        match self.seen.answer:
            case "no":
                return f"{self.version} learned from none of these test patients."
            case "yes":
                return (
                    f"{self.version} learned from {self.seen.patients:,} of these {patients:,} test patients: it looks"
                    " better than it is, and the comparison is not fair."
                )
            case "unknown":
                return (
                    f"It is not known whether {self.version} learned from these test patients: if it did, it looks"
                    " better than it is, and the comparison is not fair."
                )


class TwoVersions(SpecModel):
    """The result of `wardround model compare`."""

    condition: str
    first: ComparedVersion
    second: ComparedVersion
    patients: str = Field(description="Which patients these are, in words.")
    test: OnTest
    metrics: dict[str, Pair] = Field(
        description="With 95 % intervals over patients. Figures that need a threshold"
        " use each version's own; alerts_high and alerts_moderate are the predictions per 100 patient-days in the high"
        " band, and in it or the moderate one, without a lock-out."
    )
    notes: tuple[str, ...] = ()

    @property
    def fairness(self) -> tuple[str, str]:
        """For each version, whether it learned from these patients."""
        return self.first.fairness_in_words(self.test.patients), self.second.fairness_in_words(self.test.patients)


def both_measured(
    outcome: np.ndarray,
    sample: Sample,
    scores: tuple[np.ndarray, np.ndarray],
    thresholds: dict[str, tuple[float, float]],
    hours_per_row: float,
) -> dict[str, Pair]:
    """Returns every figure of two versions, and the first minus the second.

    Args:
        outcome: outcome of each row, 0 or 1.
        sample: the rows' patients.
        scores: probabilities of each row, by the first and by the second version.
        thresholds: by band (`high`, `moderate`), the first version's and the second's.
        hours_per_row: hours of care that a row stands for.
    """
    found: dict[str, Pair] = {}
    for band, measures in (("high", _AT_HIGH), ("moderate", _AT_MODERATE)):
        both = [Scores(score, threshold) for score, threshold in zip(scores, thresholds[band], strict=True)]
        paired = paired_with_intervals(outcome, both[0], both[1], sample, measures)
        found |= {
            name: Pair(first=paired.first[name], second=paired.second[name], difference=paired.difference[name])
            for name in measures
        }
    return {name: _in_alerts(pair, hours_per_row) if name in _ALERTS else pair for name, pair in found.items()}


def _in_alerts(pair: Pair, hours_per_row: float) -> Pair:
    first, second, difference = (
        in_100_patient_days(each, hours_per_row) for each in (pair.first, pair.second, pair.difference)
    )
    return Pair(first=first, second=second, difference=difference)
