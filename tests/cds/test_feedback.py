"""Tests the feedback that the door takes, and what it hands to whoever keeps it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from tests.cds.ehr import Ehr
from tests.cds.kept import Kept

from wardround.cds.exchange import Heard

CARD = "5e57a3a4-3f2f-4c2f-9d0e-1c2a3b4c5d6e"
AT = "2026-01-02T05:03:00Z"
OVERRIDDEN = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": AT}
ACCEPTED = {
    "card": CARD,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "one"}, {"id": "two"}],
    "outcomeTimestamp": AT,
}
MARK = "canary-4711"


def send(ehr: Ehr, *feedback: Any) -> Any:
    return ehr.send({"feedback": list(feedback)}, "sepsis-risk/feedback")


def test_feedback_is_taken_without_a_word(ehr: Ehr, kept: Kept) -> None:
    answer = send(ehr, OVERRIDDEN)

    assert (answer.status, answer.body, answer.call) == (200, b"", None)
    (one,) = kept.feedback
    assert (one.card, one.outcome, one.reason, one.suggestions, one.comment) == (CARD, "overridden", None, (), "")
    assert one.at == datetime(2026, 1, 2, 5, 3, tzinfo=UTC)


def test_a_reason_is_kept_by_its_code_and_a_comment_apart_from_what_is_shown(ehr: Ehr, kept: Kept) -> None:
    reason = {"reason": {"code": "assessed", "system": "urn:wardround:override-reason"}, "userComment": MARK}

    assert send(ehr, {**OVERRIDDEN, "overrideReason": reason}).status == 200

    (one,) = kept.feedback
    assert (one.reason, one.comment) == (("urn:wardround:override-reason", "assessed"), MARK)
    assert MARK not in repr(one)


@pytest.mark.parametrize(
    "given", [{"userComment": "x"}, {"reason": {"code": "x"}}, {"reason": {"code": "x", "display": "X"}}, {}]
)
def test_a_reason_a_comment_both_or_none(ehr: Ehr, given: Any) -> None:
    assert send(ehr, {**OVERRIDDEN, "overrideReason": given}).status == 200


def test_suggestions_are_accepted_by_their_ids(ehr: Ehr, kept: Kept) -> None:
    assert send(ehr, ACCEPTED).status == 200
    assert kept.feedback[0].suggestions == ("one", "two")


def test_one_body_may_tell_of_several_cards_and_one_card_several_times(ehr: Ehr, kept: Kept) -> None:
    other = {**OVERRIDDEN, "card": CARD.replace("5", "6")}

    assert send(ehr, OVERRIDDEN, other, OVERRIDDEN).status == 200
    assert send(ehr, OVERRIDDEN).status == 200

    assert [one.card for one in kept.feedback] == [CARD, other["card"], CARD, CARD]


def test_a_card_is_found_by_its_uuid_alone(ehr: Ehr, kept: Kept) -> None:
    """Feedback names no call: see the report cds-hooks/docs 55."""
    card = ehr.card("p-a")["uuid"]

    assert send(ehr, {**OVERRIDDEN, "card": card.upper()}).status == 200

    assert kept.feedback[0].card == card == kept.calls[0].card


def test_feedback_on_an_unknown_card_is_taken_too_and_counted_apart(ehr: Ehr) -> None:
    card = ehr.card("p-a")["uuid"]

    answer = send(ehr, OVERRIDDEN, {**OVERRIDDEN, "card": card}, OVERRIDDEN)

    assert (answer.status, answer.heard) == (200, Heard(known=1, unknown=2))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"outcome": "accepted"}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": []}, "acceptedSuggestions"),
        ({"acceptedSuggestions": [{"id": "one"}]}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": [MARK]}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": [{"id": ""}]}, "acceptedSuggestions"),
        (
            {"outcome": "accepted", "acceptedSuggestions": [{"id": "x"}], "overrideReason": {"userComment": MARK}},
            "overrideReason",
        ),
        ({"outcome": MARK}, "outcome"),
        ({"outcome": None}, "outcome"),
        ({"outcomeTimestamp": None}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-01-02T05:03:00"}, "outcomeTimestamp"),
        ({"outcomeTimestamp": MARK}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "9999-12-31T23:59:59-12:00"}, "outcomeTimestamp"),
        ({"card": MARK}, "card"),
        ({"card": None}, "card"),
        ({"overrideReason": MARK}, "overrideReason"),
        ({"overrideReason": {"reason": {"display": MARK}}}, "overrideReason"),
        ({"overrideReason": {"reason": {"code": ""}}}, "overrideReason"),
    ],
)
def test_what_breaks_a_rule_is_refused_as_a_whole_without_echo(
    ehr: Ehr, kept: Kept, changed: dict[str, Any], named: str
) -> None:
    one = {key: value for key, value in {**OVERRIDDEN, **changed}.items() if value is not None}

    answer = send(ehr, OVERRIDDEN, one)

    assert answer.status == 400
    assert MARK.encode() not in answer.body
    assert named in orjson.loads(answer.body)["issue"][0]["diagnostics"]
    assert kept.feedback == []


def test_one_body_tells_of_a_thousand_cards_at_most(ehr: Ehr) -> None:
    assert send(ehr, *[OVERRIDDEN] * 1_000).status == 200
    assert send(ehr, *[OVERRIDDEN] * 1_001).status == 400


@pytest.mark.parametrize("body", [b"", b"[]", b'{"feedback": []}', b'{"feedback": {}}', b"{}", b"<html>"])
def test_a_body_without_feedback_is_refused(ehr: Ehr, body: bytes) -> None:
    assert ehr.send(body, "sepsis-risk/feedback").status == 400


def test_feedback_that_cannot_be_kept_is_to_be_sent_again(ehr: Ehr, kept: Kept) -> None:
    kept.broken = True

    answer = send(ehr, OVERRIDDEN)

    assert (answer.status, answer.headers) == (503, {"Retry-After": "30"})
    assert answer.fault.startswith("DatabaseError in ")


def test_feedback_of_an_unknown_service_is_refused(ehr: Ehr) -> None:
    assert ehr.send({"feedback": [OVERRIDDEN]}, "other/feedback").status == 404
