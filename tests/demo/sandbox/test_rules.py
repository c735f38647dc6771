"""Tests the rules that the sandbox holds any service to."""

from typing import Any

import pytest

from wardround.demo.sandbox.rules import broken

CARD: dict[str, Any] = {"summary": "All is well", "indicator": "info", "source": {"label": "Somebody"}}
DRAFT = {"resourceType": "ServiceRequest"}
ACTION = {"type": "create", "description": "Order it", "resource": DRAFT}
SUGGESTION = {"label": "Order it", "actions": [ACTION]}


@pytest.mark.parametrize(
    "answer",
    [
        {"cards": []},
        {"cards": [CARD]},
        {"cards": [{**CARD, "extension": {"com.example.x": 1}, "another": 2}]},
        {"cards": [{**CARD, "suggestions": [SUGGESTION], "selectionBehavior": "at-most-one"}]},
        {
            "cards": [
                {**CARD, "links": [{"label": "An app", "url": "https://x.org", "type": "smart", "appContext": "a"}]}
            ]
        },
    ],
)
def test_an_answer_by_the_rules_breaks_none(answer: Any) -> None:
    assert list(broken("answer", answer)) == []


@pytest.mark.parametrize(
    ("card", "place"),
    [
        ({"summary": "x" * 140}, "cards.0.summary"),
        ({"summary": ""}, "cards.0.summary"),
        ({"indicator": "fatal"}, "cards.0.indicator"),
        ({"source": {}}, "cards.0.source.label"),
        ({"source": {"label": "Somebody", "topic": {"code": "a"}}}, "cards.0.source.topic.system"),
        ({"uuid": "1"}, "cards.0.uuid"),
        ({"detail": ""}, "cards.0.detail"),
        ({"links": []}, "cards.0.links"),
        ({"links": [{"label": "A", "url": "https://x.org", "type": "absolute", "appContext": "a"}]}, "cards.0"),
        ({"overrideReasons": [{"code": "a"}]}, "cards.0.overrideReasons.0.display"),
        ({"suggestions": [SUGGESTION]}, "cards.0"),
        (
            {"suggestions": [{**SUGGESTION, "actionSelectionBehavior": "one"}], "selectionBehavior": "any"},
            "cards.0.suggestions.0.actionSelectionBehavior",
        ),
        ({"suggestions": [{"label": "A", "actions": [{"type": "create", "description": "B"}]}]}, "cards.0"),
        (
            {
                "suggestions": [{**SUGGESTION, "isRecommended": True}, {**SUGGESTION, "isRecommended": True}],
                "selectionBehavior": "at-most-one",
            },
            "cards.0",
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_place(card: dict[str, Any], place: str) -> None:
    assert [one.partition(": ")[0] for one in broken("answer", {"cards": [{**CARD, **card}]})][:1] == [place]


@pytest.mark.parametrize("content", [None, [], "cards", {}, {"cards": None}, {"cards": [None]}])
def test_what_is_no_answer_at_all_breaks_a_rule(content: Any) -> None:
    assert list(broken("answer", content))


def test_a_message_repeats_nothing_of_the_answer() -> None:
    secret = "ZZTOPSECRET"
    card = {**CARD, "summary": secret * 20, "indicator": secret, "source": {"label": None, "url": secret}}
    assert secret not in "".join(broken("answer", {"cards": [card]}))


def test_discovery_has_rules_too() -> None:
    service = {"id": "a-b", "hook": "patient-view", "description": "Tells.", "prefetch": {"p": "Patient/1"}}
    assert list(broken("services", {"services": []})) == []
    assert list(broken("services", {"services": [service]})) == []
    for wrong in ({"id": "a/b"}, {"description": ""}, {"hook": None}, {"prefetch": {}}, {"prefetch": {"p": 1}}):
        assert list(broken("services", {"services": [{**service, **wrong}]}))
