"""Tests that the rules, to which every answer in these tests is held, refuse what breaks them."""

import copy
from typing import Any

import pytest
from jsonschema import ValidationError
from tests.cds.ehr import Ehr
from tests.cds.rules import require

TOKEN = {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "x"}
FEEDBACK = {
    "card": "584fbc23-dfd0-43cd-a896-962370b5e537",
    "outcome": "overridden",
    "outcomeTimestamp": "2026-01-02T05:00:00Z",
}


def changed(content: Any, path: str, value: Any) -> Any:
    """Returns JSON in which what is at the path (`cards.0.summary`) is replaced, or removed for `...`."""
    copied = copy.deepcopy(content)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = copied
    for part in way:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cards.0.summary", "x" * 140),
        ("cards.0.summary", ...),
        ("cards.0.indicator", "high"),
        ("cards.0.uuid", "1"),
        ("cards.0.source.topic", ...),
        ("cards.0.source.label", " "),
        ("cards.0.detail", ""),
        ("cards.0.detail", None),
        ("cards.0.more", 1),
        ("cards.0.overrideReasons", []),
        ("cards.0.overrideReasons.0.display", ...),
        ("cards.0.links", [{"label": "x", "url": "https://x.org", "type": "absolute", "appContext": "y"}]),
        ("cards.0.links", [{"label": "x", "url": "javascript:x", "type": "absolute"}]),
        ("cards.0.selectionBehavior", ...),
        ("cards.0.suggestions", ...),
        ("cards.0.suggestions.0.actions", []),
        ("cards.0.suggestions.0.actions.0.description", ...),
        ("cards.0.suggestions.0.actions.0.resource", ...),
        ("cards.0.suggestions.0.actions.0.type", "delete"),
        ("cards.0.suggestions.0.actionSelectionBehavior", "exactly-one"),
        ("cards.0.extension", {}),
        ("cards.0.extension", {"risk": 1}),
        ("extension", {"com.wardround.risk": {"x": None}}),
        ("cards", ...),
    ],
)
def test_a_card_that_breaks_a_rule_is_refused(ehr: Ehr, path: str, value: Any) -> None:
    answer = ehr.ask("p-a")
    require("answer", answer)

    with pytest.raises((ValidationError, AssertionError)):
        require("answer", changed(answer, path, value))


def test_one_recommendation_at_most_where_one_may_be_chosen(ehr: Ehr) -> None:
    answer = ehr.ask("p-a")
    (suggestion,) = answer["cards"][0]["suggestions"]
    answer["cards"][0] |= {
        "selectionBehavior": "at-most-one",
        "suggestions": [{**suggestion, "isRecommended": True}] * 2,
    }

    with pytest.raises(AssertionError, match="cds-resp-1"):
        require("answer", answer)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hook", ...),
        ("hookInstance", "1"),
        ("context.patientId", "Patient/1"),
        ("context.userId", ...),
        ("context.userId", "one"),
        ("fhirServer", ...),
        ("fhirAuthorization.subject", ...),
        ("fhirAuthorization.scope", "patient/Observation.rs"),
        ("prefetch", {}),
        ("prefetch.patient", []),
    ],
)
def test_a_call_that_breaks_a_rule_is_refused(ehr: Ehr, path: str, value: Any) -> None:
    call = ehr.call("p-a", fhirServer="https://x.example.org/fhir", fhirAuthorization=TOKEN)
    call["prefetch"]["observations"] = None
    require("request", call)

    with pytest.raises((ValidationError, AssertionError)):
        require("request", changed(call, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("feedback.0.outcome", "accepted"),
        ("feedback.0.acceptedSuggestions", [{"id": "1"}]),
        ("feedback.0.outcomeTimestamp", "2026-01-02"),
        ("feedback.0.outcome", "ignored"),
        ("feedback.0.overrideReason", {}),
        ("feedback.0.overrideReason", {"extension": {"com.example.more": 1}}),
        ("feedback.0.overrideReason", {"reason": {"display": "Seen"}}),
        ("feedback.0.overrideReason", {"userComment": ""}),
        ("feedback.0.card", ...),
        ("feedback", []),
    ],
)
def test_feedback_that_breaks_a_rule_is_refused(path: str, value: Any) -> None:
    require("feedback", {"feedback": [FEEDBACK]})

    with pytest.raises((ValidationError, AssertionError)):
        require("feedback", changed({"feedback": [FEEDBACK]}, path, value))
