"""Counts predictions by band, with intervals over patients, and says which band is of no use.

A band that nobody is in tells nobody anything, and neither does one that nearly everybody is in. Most patients belong
in the low band, so that it may hold more of them than the others.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from wardround.evaluation.intervals import ASSUMED, ASSUMED_OF_ALERTS
from wardround.evaluation.metrics import Metric, share_of
from wardround.evaluation.results import BandShare
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores
from wardround.results.bands import HIGH, LOW, MODERATE

Band = Literal["low", "moderate", "high"]

_EMPTY: Final = "no prediction is in this band"

# Of a band with no prediction in the test set: it is surely of no use if at most so many of all predictions are in it.
_NOBODY: Final = 0.01
# It is surely of no use if more than this share of all predictions are in it.
_NEARLY_EVERYBODY: Final[dict[Band, float]] = {LOW: 0.99, MODERATE: 0.95, HIGH: 0.95}
_REMEDIES: Final[dict[Band, str]] = {
    LOW: "change `moderate_at` in the condition's `bands` and train again",
    MODERATE: "change `moderate_at` in the condition's `bands` and train again",
    HIGH: "change the policy or its target in the condition's `bands` and train again",
}


def band_shares(outcome: np.ndarray, scores: Scores, moderate: float, sample: Sample) -> tuple[BandShare, ...]:
    """Returns how many predictions are in each band, from low to high, and how many of these have the outcome.

    Args:
        outcome: outcome of each row, 0 or 1; at least one row.
        scores: score of each row, and where the high band starts.
        moderate: where the moderate band starts.
        sample: the rows' patients.
    """
    bands: dict[Band, np.ndarray] = {
        LOW: scores.score < moderate,
        MODERATE: (scores.score >= moderate) & (scores.score < scores.threshold),
        HIGH: scores.score >= scores.threshold,
    }
    every = sample.by_patient(np.ones(len(outcome)))
    return tuple(
        BandShare(
            band=band,
            rows=int(inside.sum()),
            share=share_of(sample.by_patient(inside), every, sample.drawn, _EMPTY),
            observed=_observed(band, sample.by_patient(inside * outcome), sample.by_patient(inside), sample),
        )
        for band, inside in bands.items()
    )


def _observed(band: Band, hits: np.ndarray, rows: np.ndarray, sample: Sample) -> Metric:
    # Higher bands hold the rows of few patients: how many rows others would have there is not known.
    most = sample.can_have_it(rows) if band == LOW else rows
    # Of the high band it is the PPV.
    assumed = ASSUMED_OF_ALERTS if band == HIGH else ASSUMED
    return share_of(hits, rows, sample.drawn, _EMPTY, most, assumed)


class UselessBand(NamedTuple):
    """A band that nobody, or nearly everybody, is in: whether more than chance says so, and what is to be done."""

    sure: bool
    message: str


def useless_bands(bands: Sequence[BandShare]) -> Iterator[UselessBand]:
    """Yields the bands of the test patients' predictions that are of no use.

    With few patients a band is empty by chance. It is surely useless if the interval of its share says so of other
    patients like these: at most 1 % of predictions are in it, or more than 95 % (99 % in the low band).
    """
    every = sum(each.rows for each in bands)
    for each in bands:
        share, limit = each.share, _NEARLY_EVERYBODY[each.band]
        if not each.rows:
            sure = share.high is not None and share.high <= _NOBODY
            yield UselessBand(sure, f"no prediction of the test patients is {each.band}, {_so_far(each, every, sure)}")
        elif share.value is not None and share.value > limit:
            sure = share.low is not None and share.low > limit
            said = f"nearly all predictions of the test patients are {each.band}"
            yield UselessBand(sure, f"{said}, {_so_far(each, every, sure)}")


def in_percent(bands: Sequence[BandShare]) -> str:
    """Returns `low 78.1 %, moderate 13.4 %, high 8.5 %`; empty for a card of an earlier release."""
    return ", ".join(f"{each.band} {100 * (each.share.value or 0):.1f} %" for each in bands)


def _so_far(found: BandShare, every: int, sure: bool) -> str:
    counted = f"{found.rows:,} of {every:,}"
    if found.share.low is not None and found.share.high is not None:
        counted += f" ({100 * found.share.low:.1f} to {100 * found.share.high:.1f} %)"
    return f"{counted}; {_REMEDIES[found.band]}" if sure else f"{counted}: it may be chance, so this is not judged"
