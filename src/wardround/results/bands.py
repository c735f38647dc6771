"""Sorts scores into bands by a model's thresholds."""

from collections.abc import Mapping
from typing import Final

from wardround.spec.conditions import Bands

LOW: Final = "low"
MODERATE: Final = "moderate"
HIGH: Final = "high"
INDETERMINATE: Final = "indeterminate"  # no score, such as for too little data; never shown as low
BANDS: Final = (HIGH, MODERATE, LOW, INDETERMINATE)
"""All of them, as they are listed."""


def thresholds_from(high: float, bands: Bands) -> dict[str, float]:
    """Returns the thresholds of a model whose high band starts at `high`."""
    return {MODERATE: bands.moderate_at * high, HIGH: high}


def band_of(score: float | None, thresholds: Mapping[str, float]) -> str:
    """Returns the band of a score; each band starts at its threshold. A missing score (None or NaN) is indeterminate.

    Args:
        score: probability, 0 to 1.
        thresholds: where `moderate` and `high` start.
    """
    if score is None or score != score:
        return INDETERMINATE
    if score >= thresholds[HIGH]:
        return HIGH
    return MODERATE if score >= thresholds[MODERATE] else LOW
