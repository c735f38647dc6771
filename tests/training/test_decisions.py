"""What follows from a condition's decisions, one after the other."""

from datetime import UTC, datetime, timedelta

import pytest

from wardround.training.decisions import Decision, Standing, is_repeat, standing

START = datetime(2026, 3, 1, 5, tzinfo=UTC)
WHAT = {
    "+": "promoted",
    "<": "rolled_back",
    "!": "rejected",
    "?": "unanswered",
    "~": "suspended",
    "=": "resumed",
    "&": "challenged",
    "-": "challenge_ended",
    "p": "gates_passed",
    "f": "gates_failed",
    "n": "gates_not_judged",
}


def _decided(way: str) -> list[Decision]:
    """One decision per hour: its sign (see WHAT), and the version that it is about."""
    return [
        Decision(
            when=START + timedelta(hours=hour), by="ann", what=WHAT[step[0]], version=step[1:], live=None, why=str(hour)
        )
        for hour, step in enumerate(way.split())
    ]


def _after(way: str) -> Standing:
    return standing(_decided(way))


def test_without_decisions_nothing_is_live_or_withdrawn() -> None:
    now = standing([])
    assert (now.version, now.previous, now.suspended, now.challenge) == (None, None, None, None)
    assert (now.before, dict(now.withdrawn), dict(now.judged)) == ((), {}, {})
    assert now.challenger_at(START) is None


@pytest.mark.parametrize(
    ("way", "live", "before", "withdrawn", "previous"),
    [
        ("+a", "a", (), {}, None),
        ("+a +b", "b", ("a",), {}, "a"),
        ("+a +b +c", "c", ("a", "b"), {}, "b"),
        # A version that is promoted again loses its old place.
        ("+a +b +a", "a", ("b",), {}, "b"),
        ("+a +a", "a", (), {}, None),
        ("+a +b +b", "b", ("a",), {}, "a"),
        # A rollback withdraws the live version, and removes the versions that it skips.
        ("+a +b <a", "a", (), {"b": "2"}, None),
        ("+a +b +c <a", "a", (), {"c": "3"}, None),
        ("+a +b +c <b", "b", ("a",), {"c": "3"}, "a"),
        ("+a +b +c +d <c <a", "a", (), {"d": "4", "c": "5"}, None),
        ("+a +b <a +b", "b", ("a",), {}, "a"),
        # A rollback to a version that was never live keeps the list; without a live version, nothing is withdrawn.
        ("+a +b <x", "x", ("a",), {"b": "2"}, "a"),
        ("<x", "x", (), {}, None),
        # The live version cannot be rejected; a rejected version is not a rollback target.
        ("+a !a", "a", (), {}, None),
        ("+a +b !a", "b", ("a",), {"a": "2"}, None),
        ("+a +b +c !b", "c", ("a", "b"), {"b": "3"}, "a"),
        ("+a !b !b !c", "a", (), {"b": "2", "c": "3"}, None),
        ("+a !b !c +b", "b", ("a",), {"c": "2"}, "a"),
        # A proposal that was not answered changes nothing.
        ("+a ?b", "a", (), {}, None),
    ],
)
def test_the_live_version_and_the_rollback_target_follow_from_the_decisions(
    way, live, before, withdrawn, previous
) -> None:
    now = _after(way)
    assert (now.version, now.before, now.previous) == (live, before, previous)
    assert {version: decision.why for version, decision in now.withdrawn.items()} == withdrawn


def test_the_live_version_comes_with_the_decision_that_made_it_live() -> None:
    assert _after("+a +b").live.why == "1"
    back = _after("+a +b <a").live
    assert (back.what, back.version, back.why) == ("rolled_back", "a", "2")


@pytest.mark.parametrize(
    ("way", "since"), [("~", "0"), ("+a ~ ~", "1"), ("~ =", None), ("=", None), ("~ = ~", "2"), ("~ +a <b !c &d", "0")]
)
def test_a_suspension_holds_from_its_first_decision_until_it_is_resumed(way: str, since: str | None) -> None:
    suspended = _after(way).suspended
    assert (suspended.why if suspended else None) == since


@pytest.mark.parametrize(
    ("way", "challenger"),
    [
        ("+a &b", "b"),
        ("+a &b &c", "c"),
        ("+a &b -b", None),
        ("+a -b", None),
        ("+a &b +c", "b"),
        ("+a &b !b", "b"),
        ("+a &b <x", "b"),
        ("+a &b +b", None),  # a challenge is over when its version goes live
        ("+a +b &a <a", None),
        ("+a &b ~ =", "b"),
    ],
)
def test_a_challenge_lasts_until_it_is_ended_or_its_version_is_live(way: str, challenger: str | None) -> None:
    now = _after(way)
    assert (now.challenge.version if now.challenge else None) == challenger
    assert now.challenger_at(START) == challenger


@pytest.mark.parametrize(("minutes", "scored"), [(-1, True), (0, False), (1, False)])
def test_a_challenge_with_an_end_applies_to_screenings_before_it(minutes: int, scored: bool) -> None:
    (challenged,) = _decided("&b")
    until = START + timedelta(days=7)
    now = standing([challenged.model_copy(update={"until": until})])
    assert now.challenger_at(until + timedelta(minutes=minutes)) == ("b" if scored else None)


@pytest.mark.parametrize(
    ("way", "verdict"),
    [
        ("+a", "not_judged"),
        ("pa", "passed"),
        ("fa", "failed"),
        ("na", "not_judged"),
        ("fa pa", "passed"),
        ("pa fa", "failed"),
        ("pa fb", "passed"),
        ("fa +a", "failed"),
        ("fa +b !a", "failed"),
    ],
)
def test_the_latest_verdict_of_the_gates_on_a_version_counts(way: str, verdict: str) -> None:
    assert _after(way).verdict("a") == verdict


def test_a_verdict_of_the_gates_changes_nothing_else() -> None:
    before, now = _after("+a +b !c ~ &d"), _after("+a +b !c ~ &d fb")
    assert (now.live, now.before, now.withdrawn) == (before.live, before.before, before.withdrawn)
    assert (now.suspended, now.challenge) == (before.suspended, before.challenge)


def test_a_decision_is_a_repeat_if_only_its_time_differs() -> None:
    first, second = _decided("!a !a")
    again = second.model_copy(update={"why": first.why})
    assert is_repeat(again, (first,))
    assert is_repeat(again, (second, first))
    assert not is_repeat(again, (first, second)), "only the last decision counts"
    assert not is_repeat(again, ())
    assert not is_repeat(second, (first,))
