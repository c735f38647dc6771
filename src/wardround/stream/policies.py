"""The one alert policy, as a branch and its condition say it."""

from datetime import timedelta

from wardround.results.alert_policy import AlertPolicy
from wardround.results.bands import HIGH
from wardround.stream.branches import Way


def policy_of(way: Way, expires: timedelta = timedelta.max) -> AlertPolicy:
    """Returns when people are told of a branch's scores; by default, however late."""
    branch = way.branch
    band = None if branch.threshold is not None else branch.band or HIGH
    return AlertPolicy(lock_out=way.condition.lock_out, late_after=expires, band=band, threshold=branch.threshold)
