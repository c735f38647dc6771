"""Decides whether people are told of a score, with one policy for every door.

The decision depends on the score and on what people were told before. The door keeps that as one `Notification`, the
latest, per stay, condition and channel.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from wardround.results.bands import HIGH, INDETERMINATE, LOW, MODERATE

_RANK: Final = {band: rank for rank, band in enumerate((LOW, MODERATE, HIGH))}


@dataclass(frozen=True)
class AlertPolicy:
    """When people are told of a score. Raises ValueError for a policy that is not usable.

    Attributes:
        band: people are told of scores in this band or a higher one; None if `threshold` is used.
        threshold: people are told of scores from this probability on, whatever the band; None if `band` is used.
        lock_out: how long after telling people they are not told again, unless the band has risen.
        late_after: nobody is told of a score if its prediction time is longer ago than this.
    """

    lock_out: timedelta
    late_after: timedelta
    band: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if (self.band is None) == (self.threshold is None):
            raise ValueError("alert policy: expected either a band or a threshold")
        if self.band is not None and self.band not in _RANK:
            raise ValueError(f"alert policy: got band {self.band!r}, expected one of {', '.join(_RANK)}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"alert policy: got threshold {self.threshold}, expected 0 to 1")
        if self.lock_out < timedelta() or self.late_after <= timedelta():
            raise ValueError("alert policy: expected a lock-out that is not negative, and a positive late_after")

    def _reached_by(self, score: float, band: str) -> bool:
        if self.threshold is not None:
            return score >= self.threshold
        return _RANK[band] >= _RANK[str(self.band)]


class Notification(NamedTuple):
    """What people were last told of a stay, for a condition, through a channel.

    Attributes:
        at: when they were told.
        as_of: the prediction time of the score.
        band: the band of the score.
    """

    at: datetime
    as_of: datetime
    band: str


class Verdict(StrEnum):
    """Whether people are told, or why not."""

    NOTIFY = "notify"
    NO_SCORE = "no_score"  # too little is known
    LATE = "late"
    BELOW = "below"  # its band or score is below what people are told of
    SUPERSEDED = "superseded"  # people were already told of a score of this time or a later one
    LOCKED_OUT = "locked_out"


def verdict(
    score: float | None, band: str, as_of: datetime, policy: AlertPolicy, last: Notification | None, now: datetime
) -> Verdict:
    """Returns whether people are told of a score now. If so, the door keeps `Notification(now, as_of, band)`.

    Args:
        score: probability, 0 to 1; None or NaN for an indeterminate stay.
        band: the band of the score, by the thresholds of the model or of the door.
        as_of: the prediction time of the score.
        policy: when people are told.
        last: what they were last told of this stay, for this condition, through this channel; None for nothing yet.
        now: the time of the decision.
    """
    if score is None or score != score or band == INDETERMINATE:
        return Verdict.NO_SCORE
    if now - as_of > policy.late_after:
        return Verdict.LATE
    if not policy._reached_by(score, band):
        return Verdict.BELOW
    if last is None:
        return Verdict.NOTIFY
    if as_of <= last.as_of:
        return Verdict.SUPERSEDED
    if now - last.at < policy.lock_out and _RANK[band] <= _RANK[last.band]:
        return Verdict.LOCKED_OUT
    return Verdict.NOTIFY
