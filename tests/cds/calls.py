"""Calls of the bedside door for tests: a small ICU's resources as an EHR would send them along."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from wardround.cds.hook_request import HookRequest, hook_request

AUTHORIZATION = {"token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs", "subject": "wardround"}
REFUSAL = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0}


def bundle(resources: Iterable[Any], **content: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources], **content}


def whole(resources: Iterable[dict[str, Any]], patient: str) -> dict[str, Any]:
    """The prefetch of a patient as the templates ask for it."""
    mine = [one for one in resources if one.get("subject", {}).get("reference") == f"Patient/{patient}"]
    (person,) = (one for one in resources if one["resourceType"] == "Patient" and one["id"] == patient)
    return {
        "patient": person,
        "encounters": bundle(one for one in mine if one["resourceType"] == "Encounter"),
        "observations": bundle(one for one in mine if one["resourceType"] == "Observation"),
    }


def call(
    prefetch: Mapping[str, Any],
    patient: str,
    encounter: str | None = None,
    server: str | None = None,
    token: str | None = None,
    **authorization: Any,
) -> HookRequest:
    """A call of patient-view, read as the door reads it."""
    context = {"userId": "Practitioner/x", "patientId": patient, **({"encounterId": encounter} if encounter else {})}
    body: dict[str, Any] = {"hook": "patient-view", "hookInstance": "i", "context": context, "prefetch": prefetch}
    if server:
        body["fhirServer"] = server
    if token:
        body["fhirAuthorization"] = {"access_token": token, **AUTHORIZATION, **authorization}
    return hook_request(orjson.dumps(body), "patient-view")
