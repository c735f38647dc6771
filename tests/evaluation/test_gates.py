"""The verdict of several gates: one failure outweighs all, and no judgement does not count as a pass."""

import pytest

from wardround.evaluation.gates import in_words, verdict_of


@pytest.mark.parametrize(
    ("gates", "verdict"),
    [
        ((True, True), "passed"),
        ((True, None), "passed"),
        ((True, False), "failed"),
        ((None, False), "failed"),
        ((None, None), "not_judged"),
        ((), "not_judged"),
    ],
)
def test_one_failure_fails_and_without_a_judgement_nothing_passes(gates: tuple[bool | None, ...], verdict: str) -> None:
    assert verdict_of(iter(gates)) == verdict


def test_a_verdict_is_said_in_words() -> None:
    assert in_words("not_judged") == "not judged"
