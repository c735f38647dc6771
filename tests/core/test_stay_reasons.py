"""A reason is made once, kept as a text and read again as what it was."""

import pytest

from wardround.core.stay_reasons import FailedAt, Reason
from wardround.report.report_words import FAILURES


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("under_age"), "under_age"),
        (Reason("412", FailedAt.WRITE), "write:412"),
        (Reason("KeyError", FailedAt.EXTRACT), "extract:KeyError"),
        (Reason("1 validation error: subject", FailedAt.INVALID), "invalid:1 validation error: subject"),
        (Reason("", FailedAt.TASK), "task:"),
        (Reason("a reason: of its own"), "a reason: of its own"),
        (Reason(""), ""),
    ],
)
def test_a_reason_is_read_as_it_was_written(reason: Reason, text: str) -> None:
    assert str(reason) == text
    assert Reason.of(text) == reason


def test_what_a_library_says_is_told_from_words_of_ours() -> None:
    ours = ["under_age", "write:412", "quality:age is between 18 and 130 years", "refer:patient_not_there"]

    assert [text for text in ours if not Reason.of(text).is_ours] == []
    assert not Reason.of("invalid:subject Jane Doe").is_ours


def test_each_place_where_a_stay_may_fail_has_its_words() -> None:
    assert set(FAILURES) == set(FailedAt)
