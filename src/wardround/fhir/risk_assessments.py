"""Reads and writes RiskAssessments with their Provenance and Device; repeating a write changes nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.page import WHOLE, Shape, dicts, only
from wardround.fhir.references import Resource, is_id
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.risk_assessment import DEVICE_SYSTEM, IDENTIFIER_SYSTEM

# How many values servers accept in one parameter; the client halves the list if even this is too many.
VALUES_PER_SEARCH: Final = 250
# If an answer was lost, only the next look shows whether the write was done.
_LOOKS: Final = 5
# FHIR's own ids, and the variants that some servers use; the value goes into a header.
_VERSION: Final = re.compile(r"[!#-~]{0,200}", re.ASCII)
_CREATED: Final = 201
_DEVICE: Final = re.compile(r"Device/[A-Za-z0-9\-.]{1,64}")


JUDGED: Final = only("identifier", "status", "subject", "encounter", "prediction", "note")
"""Keeps what tells which result a RiskAssessment is, what it says of whom, and whether it stands.

Not the basis, which is nine tenths of it.
"""

PLACED: Final = only("identifier", "method", "occurrenceDateTime")
"""Keeps what tells which result a RiskAssessment is, what made it, and for which time."""


def held(client: FhirClient, identities: Sequence[str], shape: Shape[Resource] = WHOLE) -> dict[str, list[Resource]]:
    """Returns the RiskAssessments that the server holds, by the value of our identifier; normally one each.

    References to the server's own resources are relative in them, so that whole references can be compared. They hold
    what the shape keeps, WHOLE or JUDGED.
    """
    found: dict[str, list[Resource]] = {}
    for some in _in_turn(identities):
        for resource in _with(some, client, shape):
            found.setdefault(identity_of(resource), []).append(client.source.bases.localised(resource))
    return found


def _with(identities: Sequence[str], client: FhirClient, shape: Shape[Resource]) -> Iterator[Resource]:
    """Yields the RiskAssessments with these identifiers; the last version of one that changed during the search."""
    tokens = [f"{IDENTIFIER_SYSTEM}|{identity}" for identity in identities]
    by_id: dict[str, Resource] = {}
    for place, resource in enumerate(client.search("RiskAssessment", {"identifier": tokens}, shape)):
        if resource.get("resourceType") == "RiskAssessment":
            key = resource.get("id")
            by_id[str(key) if is_id(key) else f" {place}"] = resource
    return iter(by_id.values())


def is_misshapen(resource: Mapping[str, Any]) -> bool:
    """Returns whether a RiskAssessment has no usable id, or cannot be judged and changed for another reason."""
    lists = [resource.get(name, []) for name in ("identifier", "note", "prediction")]
    objects = [resource.get(name, {}) for name in ("meta", "subject", "encounter")]
    return not (
        is_id(resource.get("id"))
        # Without a status there is no telling whether the result was taken back.
        and isinstance(resource.get("status"), str)
        and all(_are_objects(items) for items in lists)
        and all(isinstance(item, dict) for item in objects)
        and all(_is_number(one.get("probabilityDecimal", 0)) for one in resource.get("prediction", []))
        and _VERSION.fullmatch(str(resource.get("meta", {}).get("versionId", "")))
    )


def identity_of(resource: Mapping[str, Any]) -> str:
    """Returns the value of our identifier; "" if the resource has none."""
    identifiers = dicts(resource.get("identifier"))
    return next((str(item.get("value")) for item in identifiers if item.get("system") == IDENTIFIER_SYSTEM), "")


def write(client: FhirClient, resources: Sequence[Resource]) -> list[WriteOutcome]:
    """Writes RiskAssessments; returns the outcome of each, in order.

    One with an id updates the server's resource of this id, if nobody else has changed it since it was read. One
    without an id is written by conditional update, or created conditionally where the profile says so, so that there is
    only one however often it is sent. On a server without conditional writes it is created: then the caller must be the
    only writer, and search for it before writing again.
    """
    entries = [_update(one) if "id" in one else _new(client, one) for one in resources]
    return [_outcome(entry, answer) for entry, answer in zip(entries, _answers(client, entries), strict=True)]


def versions(client: FhirClient, resource: Resource) -> list[Resource]:
    """Returns the versions of a RiskAssessment that the server has held, newest first; none if it does not tell.

    Raises FhirUnreachable.
    """
    url = f"{client.source.base_url}/RiskAssessment/{resource['id']}/_history"
    try:
        answer = client.ask("GET", url, {}, accept=range(400, 600))
    except FhirUnreachable:
        raise
    except FhirError:
        return []
    found = (entry.get("resource") for entry in dicts(answer.body.get("entry")))
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("meta", {}), dict)]


def with_provenance(client: FhirClient, targets: Sequence[str]) -> set[str]:
    """Returns those of the references that are the target of a Provenance."""
    found: set[str] = set()
    for some in _in_turn(targets):
        for resource in client.search("Provenance", {"target": some}):
            there = dicts(client.source.bases.localised(resource).get("target"))
            found.update(str(target.get("reference")) for target in there)
    return found & set(targets)


def create_provenance(client: FhirClient, resources: Sequence[Resource]) -> dict[str, WriteOutcome]:
    """Writes each Provenance unless its target already has one; returns the outcome by target."""
    entries = [_create(client, resource, f"target={_target(resource)}") for resource in resources]
    targets = [_target(resource) for resource in resources]
    return dict(zip(targets, map(WriteOutcome.of, _answers(client, entries)), strict=True))


def device_reference(client: FhirClient, device: Resource) -> str:
    """Returns a reference to the server's Device with this one's identifier; creates it if there is none.

    It is searched for first: a server that ignores If-None-Exist would otherwise create one per run.
    """
    token = f"{DEVICE_SYSTEM}|{device['identifier'][0]['value']}"
    outcome = WriteOutcome(None)
    for _ in range(_LOOKS):
        reference = _found_device(client, token)
        if reference is not None:
            return reference
        if outcome.status is None:
            (answer,) = _answers(client, [_create(client, device, f"identifier={token}")])
            outcome = WriteOutcome.of(answer)
            reference = _located(str((answer.get("response") or {}).get("location")))
            if outcome.taken and _DEVICE.fullmatch(reference):
                return reference
    raise FhirError(
        f"{client.source.base_url}: did not store the Device of Wardround (status"
        f" {'of success' if outcome.taken else outcome}), expected to find it by its identifier;"
        " allow this client to create Devices"
    )


def _found_device(client: FhirClient, token: str) -> str | None:
    # If a race has left two, every run takes the same one.
    found = client.search("Device", {"identifier": [token]})
    ids = [str(one["id"]) for one in found if one.get("resourceType") == "Device" and is_id(one.get("id"))]
    return f"Device/{min(ids)}" if ids else None


def _new(client: FhirClient, resource: Resource) -> Resource:
    criteria = f"identifier={IDENTIFIER_SYSTEM}|{identity_of(resource)}"
    if not client.source.profile.creates_by_update:
        return _create(client, resource, criteria)
    return {"resource": resource, "request": {"method": "PUT", "url": f"RiskAssessment?{criteria}"}}


def _update(resource: Resource) -> Resource:
    request = {"method": "PUT", "url": f"RiskAssessment/{resource['id']}"}
    version = (resource.get("meta") or {}).get("versionId")
    return {"resource": resource, "request": {**request, "ifMatch": f'W/"{version}"'} if version else request}


def _create(client: FhirClient, resource: Resource, unless: str) -> Resource:
    request = {"method": "POST", "url": resource["resourceType"]}
    if client.source.profile.has_conditional_create:
        request["ifNoneExist"] = unless
    return {"resource": resource, "request": request}


def _answers(client: FhirClient, entries: list[Resource]) -> list[Resource]:
    # Where a server ignores If-None-Exist, a creation sent again after a lost answer would make a second resource; the
    # caller looks it up instead.
    return client.batch(entries, repeat=all(entry["request"]["method"] != "POST" for entry in entries))


def _outcome(entry: Resource, answer: Resource) -> WriteOutcome:
    outcome, request = WriteOutcome.of(answer), entry["request"]
    if not outcome.taken or outcome.status == _CREATED or "id" in entry["resource"]:
        return outcome
    if "ifNoneExist" in request:
        # Nothing was created: another writer was faster.
        return outcome._replace(taken=False)
    return outcome._replace(replaced=request["method"] == "PUT")


def _target(resource: Resource) -> str:
    return str(resource["target"][0]["reference"])


def _located(location: str) -> str:
    """Returns `Type/id` from the location that a server gives for what it stored, under whatever base URL it uses."""
    return "/".join(location.split("/_history/")[0].split("/")[-2:])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_objects(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def _in_turn(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), VALUES_PER_SEARCH):
        yield values[start : start + VALUES_PER_SEARCH]
