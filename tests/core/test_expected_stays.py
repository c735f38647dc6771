import pytest

from wardround.core.expected_stays import FELL, TOO_FEW, Census, RunBefore, doubt, doubt_in_words
from wardround.spec.conditions import Cohort


def cohort(**keys: object) -> Cohort:
    return Cohort.model_validate({"look_back": "24h", **keys})


@pytest.mark.parametrize(
    ("found", "before", "expected"),
    [
        (40, None, ""),
        (40, 38, ""),
        (20, 40, ""),  # half may be missing
        (19, 40, FELL),
        (1, 6, FELL),
        (1, 3, ""),  # a small unit may empty overnight
        (2, 6, ""),  # a fall by 4 is small
        (0, 3, TOO_FEW),
        (0, None, TOO_FEW),
    ],
)
def test_a_census_is_in_doubt_if_it_is_empty_or_fell_by_more_than_half(
    found: int, before: int | None, expected: str
) -> None:
    assert doubt(found, None if before is None else RunBefore(run="r", found=before), cohort()) == expected


@pytest.mark.parametrize(
    ("keys", "found", "before", "expected"),
    [
        ({"at_least": 0}, 0, None, ""),
        ({"at_least": 0}, 0, 4, ""),
        ({"at_least": 10}, 9, None, TOO_FEW),
        ({"at_least": 10}, 10, None, ""),
        ({"may_fall_by": None}, 1, 40, ""),
        ({"may_fall_by": 0.1}, 35, 40, FELL),
        ({"may_fall_by": 0.1}, 36, 40, ""),
        ({"small_fall": 30}, 11, 40, ""),
        ({"small_fall": 30}, 10, 40, FELL),
    ],
)
def test_a_condition_says_what_it_expects(
    keys: dict[str, object], found: int, before: int | None, expected: str
) -> None:
    assert doubt(found, None if before is None else RunBefore(run="r", found=before), cohort(**keys)) == expected


def test_what_is_in_doubt_is_said_in_words() -> None:
    few = Census(doubt=TOO_FEW, found=0, at_least=1)
    assert doubt_in_words(few) == "found 0 stays, expected at least 1"
    fell = Census(doubt=FELL, found=1, may_fall_by=0.5, before=RunBefore(run="sepsis-1", found=40))
    assert doubt_in_words(fell) == "found 1 stay after 40 in run sepsis-1, expected a fall of at most 50%"
    assert doubt_in_words(Census(doubt="")) == doubt_in_words(Census()) == ""
