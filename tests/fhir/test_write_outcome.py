"""Tests what the answer to a write means: accepted, refused for good, or to be checked again."""

import pytest

from wardround.fhir.write_outcome import WriteOutcome


@pytest.mark.parametrize(
    ("status", "taken", "overtaken", "text"),
    [
        ("200 OK", True, False, "200"),
        ("201", True, False, "201"),
        ("304 Not Modified", True, False, "304"),
        ("412 Precondition Failed", False, True, "412"),
        ("409", False, True, "409"),
        ("404", False, True, "404"),
        ("422", False, False, "422"),
        ("500", False, False, "500"),
        ("", False, True, "unanswered"),
        ("of all is well", False, True, "unanswered"),
        (None, False, True, "unanswered"),
    ],
)
def test_an_answer_is_taken_refused_or_overtaken(status: str | None, taken: bool, overtaken: bool, text: str) -> None:
    outcome = WriteOutcome.of({"response": {"status": status}})

    assert (outcome.taken, outcome.is_overtaken, str(outcome)) == (taken, overtaken, text)


def test_no_answer_at_all_is_worth_another_look() -> None:
    assert WriteOutcome.of({}) == WriteOutcome(None)
    assert WriteOutcome(None).is_overtaken
    assert f"{WriteOutcome(None)}" == "unanswered"


def test_a_create_that_created_nothing_was_overtaken() -> None:
    assert WriteOutcome(200, taken=False).is_overtaken
    assert WriteOutcome(304, taken=False).is_overtaken
