"""Which Encounters a notification announces, in each form that servers send."""

from typing import Any

import orjson
import pytest

from wardround.stream.subscriptions.notification import NotANotification, Notified, notified

ENCOUNTER = {"resourceType": "Encounter", "id": "e1", "status": "in-progress"}


def read(content: Any) -> Notified:
    return notified(orjson.dumps(content))


def backport(kind: str, *entries: dict[str, Any], focus: str = "") -> dict[str, Any]:
    """Returns a notification of the backport to R4: its status is a Parameters resource."""
    event = [{"name": "focus", "valueReference": {"reference": focus}}] if focus else []
    status = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": "Subscription/s1"}},
            {"name": "type", "valueCode": kind},
            {"name": "notification-event", "part": [{"name": "event-number", "valueString": "2"}, *event]},
        ],
    }
    return {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}, *entries]}


def r5(kind: str, *entries: dict[str, Any], focus: str = "") -> dict[str, Any]:
    """Returns a notification of R5 and R4B: its status is a SubscriptionStatus."""
    event = [{"eventNumber": "2", "focus": {"reference": focus}}] if focus else [{"eventNumber": "2"}]
    status = {"resourceType": "SubscriptionStatus", "type": kind, "notificationEvent": event}
    return {"resourceType": "Bundle", "type": "subscription-notification", "entry": [{"resource": status}, *entries]}


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_without_content_the_server_is_to_be_asked(body: bytes) -> None:
    assert notified(body) == Notified((), others=True)


def test_an_encounter_announces_itself() -> None:
    assert read(ENCOUNTER) == Notified(("e1",))


@pytest.mark.parametrize("form", [backport, r5])
def test_a_bundle_announces_what_its_events_and_entries_name_each_once(form: Any) -> None:
    resource = {"fullUrl": "https://ehr.example.org/fhir/Encounter/e1", "resource": ENCOUNTER}
    named = {"fullUrl": "https://ehr.example.org/fhir/Encounter/e2", "request": {"method": "PUT", "url": "x"}}
    assert read(form("event-notification", resource, named, focus="Encounter/e1")) == Notified(("e1", "e2"))
    assert read(form("event-notification", focus="https://x.org/Encounter/e3/_history/4")) == Notified(("e3",))


@pytest.mark.parametrize("form", [backport, r5])
def test_a_bundle_that_names_nothing_says_that_the_server_is_to_be_asked(form: Any) -> None:
    assert read(form("event-notification")) == Notified((), others=True)


@pytest.mark.parametrize("form", [backport, r5])
@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_a_handshake_and_a_heartbeat_announce_nothing(form: Any, kind: str) -> None:
    assert read(form(kind)).is_quiet


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is neither an Encounter nor a Bundle"),
        (b'{"resourceType":"Patient","id":"p1"}', "is neither an Encounter nor a Bundle"),
        (b'{"resourceType":"Bundle","type":"searchset"}', "is neither an Encounter nor a Bundle"),
        (b'{"resourceType":"Encounter"}', "holds an Encounter without a valid id"),
        (b'{"resourceType":"Encounter","id":"../Patient"}', "holds an Encounter without a valid id"),
    ],
)
def test_anything_else_is_refused_by_a_rule(body: bytes, rule: str) -> None:
    with pytest.raises(NotANotification, match=rule):
        notified(body)


@pytest.mark.parametrize("entries", [None, "x", [1], [{"resource": 1}], [{"resource": {}}], [{"fullUrl": 2}]])
def test_a_bundle_with_odd_entries_names_nothing(entries: Any) -> None:
    bundle = {"resourceType": "Bundle", "type": "history", "entry": entries}
    assert read(bundle) == Notified((), others=True)


def test_references_to_anything_but_an_encounter_are_left_out() -> None:
    odd = [{"fullUrl": "urn:uuid:1"}, {"fullUrl": "https://x.org/Patient/e1"}]
    assert read(backport("event-notification", *odd, focus="Patient/1")) == Notified((), others=True)
