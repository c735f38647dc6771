"""Tests which bodies are calls, by the rules of CDS Hooks, and that no refusal repeats what it was sent."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept

from wardround.cds.door import Door
from wardround.fhir.references import Resource
from wardround.settings import Settings

MARK = "canary-4711"


def refused(ehr: Ehr, body: Any, service: str = "sepsis-risk") -> str:
    """Returns what the 400 says, which must not be what was sent."""
    answer = ehr.send(body, service)
    assert answer.status == 400, answer.body
    assert MARK.encode() not in answer.body
    outcome = orjson.loads(answer.body)
    assert outcome["resourceType"] == "OperationOutcome"
    assert answer.call is not None
    assert (answer.call.outcome, answer.call.card) == ("refused", "")
    return str(outcome["issue"][0]["diagnostics"])


@pytest.mark.parametrize("key", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [None, "", 4711, [MARK], {"x": MARK}])
def test_what_every_call_must_have_is_named_where_it_is_missing_or_wrong(ehr: Ehr, key: str, value: Any) -> None:
    if key == "context" and isinstance(value, dict):
        assert "userId" in refused(ehr, ehr.call(context=value))
    else:
        said = refused(ehr, ehr.call(**{key: value}))
        assert key in said or key == "context"


ORDERS: Resource = {"selections": ["ServiceRequest/new"], "draftOrders": {"resourceType": "Bundle", "entry": []}}
PATIENT: Resource = {"userId": "Practitioner/one", "patientId": "p-a"}
CONTEXTS: dict[str, Resource] = {
    "patient-view": PATIENT,
    "encounter-start": {**PATIENT, "encounterId": "e-a"},
    "encounter-discharge": {**PATIENT, "encounterId": "e-a"},
    "order-select": {**PATIENT, **ORDERS},
}
"""What each hook requires."""


@pytest.mark.parametrize(("hook", "key"), [(hook, key) for hook, required in CONTEXTS.items() for key in required])
def test_what_a_hook_requires_is_named_where_it_is_missing_or_wrong(ehr_of_all_hooks: Ehr, hook: str, key: str) -> None:
    for value in (None, "", 4711, [4711, MARK], {"x": MARK}):
        given = {name: one for name, one in {**CONTEXTS[hook], key: value}.items() if one is not None}
        body = ehr_of_all_hooks.call(hook=hook, context=given)
        said = refused(ehr_of_all_hooks, body, "sepsis-risk" if hook == "patient-view" else f"sepsis-{hook}")
        # Of what a Bundle lacks, it is said where.
        assert key in said or (key == "draftOrders" and "resourceType" in said), value


@pytest.mark.parametrize("key", ["patientId", "encounterId"])
@pytest.mark.parametrize("value", [f"Patient/{MARK}", f"{MARK}?_id=", "x" * 65, "ä", "{{Patient.id}}"])
def test_ids_are_bare(ehr: Ehr, key: str, value: str) -> None:
    """Braces of a template that a client did not fill never reach a server: see the report cds-hooks/sandbox 38."""
    assert key in refused(ehr, ehr.call(context={"userId": "Practitioner/one", "patientId": "p-a", key: value}))


def test_drafts_of_orders_are_a_bundle(ehr_of_all_hooks: Ehr) -> None:
    context = {**CONTEXTS["order-select"], "draftOrders": {"resourceType": MARK}}

    assert refused(ehr_of_all_hooks, ehr_of_all_hooks.call(hook="order-select", context=context), "sepsis-order-select")


@pytest.mark.parametrize(
    ("hook", "more"),
    [
        ("patient-view", {}),
        ("patient-view", {"encounterId": "e-a"}),
        ("encounter-start", {"encounterId": "e-a"}),
        ("encounter-discharge", {"encounterId": "e-a"}),
        ("order-select", ORDERS),
        ("order-select", {"encounterId": "e-a", **ORDERS}),
    ],
)
def test_every_hook_is_answered_with_what_it_requires(ehr_of_all_hooks: Ehr, hook: str, more: Resource) -> None:
    context = {"userId": "Practitioner/one", "patientId": "p-a", **more}
    service = "sepsis-risk" if hook == "patient-view" else f"sepsis-{hook}"

    answer = ehr_of_all_hooks.send(ehr_of_all_hooks.call(hook=hook, context=context), service)

    assert answer.status == 200, answer.body
    assert orjson.loads(answer.body)["cards"][0]["summary"] == "Sepsis risk: HIGH (89%)"
    assert answer.call is not None
    assert (answer.call.hook, answer.call.service) == (hook, service)


def test_a_hook_that_the_service_does_not_have_is_refused(ehr: Ehr) -> None:
    assert "patient-view" in refused(ehr, ehr.call(hook=MARK))


@pytest.mark.parametrize(
    "changed",
    [
        {"fhirAuthorization": {"access_token": MARK}},
        {"fhirAuthorization": MARK},
        {"fhirServer": MARK},
        {"fhirServer": f"ftp://{MARK}"},
        {"fhirServer": f"https://example.org/fhir?{MARK}"},
        {"prefetch": MARK},
        {"prefetch": [MARK]},
    ],
)
def test_a_server_a_token_and_prefetch_are_of_the_right_shape(ehr: Ehr, changed: Resource) -> None:
    assert refused(ehr, ehr.call(**{"fhirServer": "https://example.org/fhir", **changed}))


TOKEN = {"access_token": MARK, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "wardround"}


def test_a_token_belongs_to_a_server(ehr: Ehr) -> None:
    assert "fhirServer: is missing" in refused(ehr, ehr.call(fhirAuthorization=TOKEN))


@pytest.mark.parametrize("key", TOKEN)
@pytest.mark.parametrize("value", [None, [MARK]])
def test_every_part_of_a_token_is_required(ehr: Ehr, key: str, value: Any) -> None:
    token = {name: one for name, one in {**TOKEN, key: value}.items() if one is not None}

    assert key in refused(ehr, ehr.call(fhirServer="https://example.org/fhir", fhirAuthorization=token))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>canary-4711</html>",
        b'{"hook": "patient-view", ',
        b"[]",
        b'"canary-4711"',
        b'{"hook": "\xff\xfe canary-4711"}',
        b"[" * 100_000,
        b'{"prefetch":' * 100_000,
        b'{"context": ' + b'{"x":' * 100_000,
    ],
    ids=["empty", "html", "cut", "list", "text", "not utf-8", "deep lists", "deep objects", "deep context"],
)
def test_what_is_no_json_object_is_refused(ehr: Ehr, body: bytes) -> None:
    assert "the body" in refused(ehr, body)


def test_extensions_and_unknown_keys_are_left_alone(ehr: Ehr) -> None:
    extension = {"com.example.more": {"deep": [1, None, {}]}}
    context = {"userId": "Practitioner/one", "patientId": "p-a", "extension": extension, "other": 1}

    answer = ehr.send(ehr.call(context=context, extension=extension, another=[None]))

    assert orjson.loads(answer.body)["cards"][0]["indicator"] == "critical"


@pytest.fixture(scope="module")
def door_of_all_hooks(home_with: Callable[..., Settings]) -> Door:
    return Door.of(home_with(bedside={"hooks": ["encounter-start", "encounter-discharge", "order-select"]}), Kept())


@pytest.fixture
def ehr_of_all_hooks(ehr: Ehr, door_of_all_hooks: Door, kept: Kept) -> Ehr:
    return ehr.before(keeping_in(door_of_all_hooks, kept))
