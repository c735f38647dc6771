"""People are told of a score once, in time, and again only if the band rises or the lock-out has passed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.results.alert_policy import AlertPolicy, Notification, Verdict, verdict
from wardround.results.bands import HIGH, INDETERMINATE, LOW, MODERATE

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
RANKS = {LOW: 0, MODERATE: 1, HIGH: 2}
HIGH_ONLY = AlertPolicy(lock_out=12 * HOUR, late_after=2 * HOUR, band=HIGH)
FROM_MODERATE = AlertPolicy(lock_out=12 * HOUR, late_after=2 * HOUR, band=MODERATE)
BY_SCORE = AlertPolicy(lock_out=12 * HOUR, late_after=2 * HOUR, threshold=0.3)


def told(hours_ago: float, band: str) -> Notification:
    """A notification of a score of the time when it was told."""
    return Notification(NOW - hours_ago * HOUR, NOW - hours_ago * HOUR, band)


@pytest.mark.parametrize(
    ("score", "band", "policy", "last", "expected"),
    [
        (0.8, HIGH, HIGH_ONLY, None, Verdict.NOTIFY),
        (0.8, HIGH, FROM_MODERATE, None, Verdict.NOTIFY),
        (0.5, MODERATE, FROM_MODERATE, None, Verdict.NOTIFY),
        (0.5, MODERATE, HIGH_ONLY, None, Verdict.BELOW),
        (0.1, LOW, FROM_MODERATE, None, Verdict.BELOW),
        (0.3, LOW, BY_SCORE, None, Verdict.NOTIFY),
        (0.2999, HIGH, BY_SCORE, None, Verdict.BELOW),
        (None, INDETERMINATE, BY_SCORE, None, Verdict.NO_SCORE),
        (float("nan"), INDETERMINATE, HIGH_ONLY, None, Verdict.NO_SCORE),
        (0.8, HIGH, HIGH_ONLY, told(11.99, HIGH), Verdict.LOCKED_OUT),
        (0.8, HIGH, HIGH_ONLY, told(12, HIGH), Verdict.NOTIFY),
        (0.8, HIGH, FROM_MODERATE, told(1, MODERATE), Verdict.NOTIFY),
        (0.5, MODERATE, FROM_MODERATE, told(1, HIGH), Verdict.LOCKED_OUT),
        (0.4, MODERATE, BY_SCORE, told(1, LOW), Verdict.NOTIFY),
        (0.8, HIGH, HIGH_ONLY, Notification(NOW - 13 * HOUR, NOW, HIGH), Verdict.SUPERSEDED),
        (0.8, HIGH, HIGH_ONLY, Notification(NOW - HOUR, NOW + HOUR, MODERATE), Verdict.SUPERSEDED),
    ],
)
def test_each_case_has_its_verdict(score, band, policy, last, expected):
    assert verdict(score, band, NOW, policy, last, NOW) == expected


@pytest.mark.parametrize(
    ("age", "expected"), [(2 * HOUR, Verdict.NOTIFY), (2 * HOUR + timedelta.resolution, Verdict.LATE)]
)
def test_a_score_is_late_after_its_limit_and_not_at_it(age, expected):
    assert verdict(0.8, HIGH, NOW - age, HIGH_ONLY, None, NOW) == expected


def test_times_are_compared_and_not_their_offsets():
    early = NOW.astimezone(ZoneInfo("America/New_York"))
    last = Notification(early, early, HIGH)
    assert verdict(0.8, HIGH, NOW + HOUR, HIGH_ONLY, last, NOW + HOUR) == Verdict.LOCKED_OUT


def test_no_lock_out_is_a_policy_too():
    always = AlertPolicy(lock_out=timedelta(), late_after=HOUR, band=HIGH)
    assert verdict(0.8, HIGH, NOW, always, told(0.01, HIGH), NOW) == Verdict.NOTIFY


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"band": HIGH, "threshold": 0.5},
        {"band": INDETERMINATE},
        {"band": "High"},
        {"threshold": 1.01},
        {"threshold": float("nan")},
        {"band": HIGH, "lock_out": -HOUR},
        {"band": HIGH, "late_after": timedelta()},
    ],
)
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="alert policy"):
        AlertPolicy(**{"lock_out": HOUR, "late_after": HOUR, **wrong})


class Score(NamedTuple):
    """One score of a stay as a door meets it: decided `after` the one before, of a time so long `ago`."""

    after: timedelta
    ago: timedelta
    score: float | None


def band_of(score: float | None) -> str:
    if score is None:
        return INDETERMINATE
    return HIGH if score >= 0.6 else MODERATE if score >= 0.3 else LOW


minutes = st.integers(0, 600).map(lambda number: timedelta(minutes=number))
scores = st.lists(st.builds(Score, after=minutes, ago=minutes, score=st.none() | st.floats(0, 1)), max_size=30)
policies = st.builds(
    AlertPolicy,
    lock_out=minutes,
    late_after=st.integers(1, 600).map(lambda number: timedelta(minutes=number)),
    band=st.sampled_from([MODERATE, HIGH]),
) | st.builds(
    AlertPolicy,
    lock_out=minutes,
    late_after=st.integers(1, 600).map(lambda number: timedelta(minutes=number)),
    threshold=st.floats(0, 1),
)


class Decided(NamedTuple):
    """A score, what was known when it was decided, and what was decided."""

    now: datetime
    as_of: datetime
    score: float | None
    band: str
    last: Notification | None
    verdict: Verdict


def lived(course: list[Score], policy: AlertPolicy) -> list[Decided]:
    """A door's decisions over the course of a stay; it keeps the last notification, as doors do."""
    now, last, decided = NOW, None, []
    for one in course:
        now += one.after
        as_of, band = now - one.ago, band_of(one.score)
        found = verdict(one.score, band, as_of, policy, last, now)
        decided.append(Decided(now, as_of, one.score, band, last, found))
        if found == Verdict.NOTIFY:
            last = Notification(now, as_of, band)
    return decided


def notified(course: list[Score], policy: AlertPolicy) -> list[Decided]:
    return [one for one in lived(course, policy) if one.verdict == Verdict.NOTIFY]


@given(scores, policies)
def test_nobody_is_told_of_a_late_score_or_of_one_below_what_is_told(course, policy):
    for one in notified(course, policy):
        assert one.now - one.as_of <= policy.late_after
        assert one.score is not None
        if policy.threshold is not None:
            assert one.score >= policy.threshold
        else:
            assert RANKS[one.band] >= RANKS[str(policy.band)]


@given(scores, policies)
def test_within_the_lock_out_people_are_told_again_of_a_higher_band_only(course, policy):
    told = notified(course, policy)
    for before, after in pairwise(told):
        assert after.now - before.now >= policy.lock_out or RANKS[after.band] > RANKS[before.band]
        assert after.as_of > before.as_of


@given(scores, policies)
def test_within_one_lock_out_there_are_no_more_notifications_than_bands(course, policy):
    told = notified(course, policy)
    for first in told:
        within = [one for one in told if first.now <= one.now < first.now + policy.lock_out]
        assert len(within) <= len(RANKS)


@given(scores, policies)
def test_a_score_in_time_that_reaches_the_policy_is_held_back_for_what_was_told_alone(course, policy):
    for one in lived(course, policy):
        reached = verdict(one.score, one.band, one.as_of, policy, None, one.now)
        if reached != Verdict.NOTIFY:
            assert one.verdict == reached
        elif one.last is None:
            assert one.verdict == Verdict.NOTIFY
        else:
            newer, rises = one.as_of > one.last.as_of, RANKS[one.band] > RANKS[one.last.band]
            waited = one.now - one.last.at >= policy.lock_out
            assert (one.verdict == Verdict.NOTIFY) == (newer and (rises or waited))


@given(scores, policies)
def test_a_score_that_is_decided_again_is_told_once(course, policy):
    twice = [again for one in course for again in (one, one._replace(after=timedelta()))]
    assert len(notified(twice, policy)) == len(notified(course, policy))
