"""Changes a prefetch for demonstration: a name of our own for the patient, our identifiers, fewer Observations.

Pure; it sees patient values and never logs.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from wardround.core.microseconds import UNKNOWN
from wardround.fhir.references import Resource
from wardround.fhir.times import micros_of

SYSTEM: Final = "urn:wardround:demo-patient"
_OURS: Final = UUID("0f5b7b0c-3f0e-4a39-8b0f-0a3a5f1f2c11")
_GIVEN: Final = (
    *("Alex", "Ariel", "Ashley", "Cameron", "Charlie", "Dana", "Drew", "Eli"),
    *("Jamie", "Jordan", "Kai", "Kim", "Lee", "Marion", "Morgan", "Noa"),
    *("Pat", "Quinn", "Robin", "Sage", "Sam", "Sascha", "Taylor", "Toni"),
)
_FAMILY: Final = "Demopatient"
# What tells who somebody is, and no model needs.
_PERSONAL: Final = ("name", "telecom", "address", "photo", "contact")
Change = Callable[[Resource], Resource]


def made_up(prefetch: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Returns the prefetch with a made-up name for its Patient, and an identifier of ours for each resource.

    Some clients cannot show a Patient without a given name, which MIMIC's have not. The name is that of the patient's
    id, so that it is the same each time; the identifier is one for each resource and time.
    """

    def changed(resource: Resource) -> Resource:
        if resource.get("resourceType") == "Patient":
            kept = {key: value for key, value in resource.items() if key not in _PERSONAL}
            resource = {**kept, "name": [{"use": "official", "family": _FAMILY, "given": [_given(resource)]}]}
        return identified(resource, now)

    return {key: _each(value, changed) for key, value in prefetch.items()}


def identified(resource: Resource, now: datetime) -> Resource:
    """Returns the resource with an identifier of ours, by which it is known as of a time."""
    listed = resource.get("identifier")
    key = str(uuid5(_OURS, f"{resource.get('resourceType')}/{resource.get('id')} {now.isoformat()}"))
    own = {"system": SYSTEM, "value": key}
    return {**resource, "identifier": [*(listed if isinstance(listed, list) else []), own]}


def only_latest(prefetch: dict[str, Any]) -> dict[str, Any]:
    """Returns the prefetch with the latest Observation of each code alone."""
    return {key: _thinned(value) for key, value in prefetch.items()}


def _thinned(value: Any) -> Any:
    entries = value.get("entry")
    if not entries:
        return value
    latest: dict[str, tuple[int, int]] = {}
    for number, entry in enumerate(entries):
        resource = entry["resource"]
        if resource.get("resourceType") == "Observation":
            time, code = _time(resource), _code(resource)
            latest[code] = max(latest.get(code, (UNKNOWN, -1)), (time, number))
    kept = {number for _, number in latest.values()}
    some = [
        entry
        for number, entry in enumerate(entries)
        if entry["resource"].get("resourceType") != "Observation" or number in kept
    ]
    return {**value, "entry": some, "total": len(some)}


def _code(observation: Resource) -> str:
    """Returns the first coding as text; nothing if there is none."""
    match observation.get("code"):
        case {"coding": [dict(coding), *_]}:
            return f"{coding.get('system')}|{coding.get('code')}"
    return ""


def _time(observation: Resource) -> int:
    time = observation.get("effectiveDateTime")
    return micros_of(time) if isinstance(time, str) else UNKNOWN


def _each(value: Any, change: Change) -> Any:
    """Returns a resource changed, or a Bundle with each of its resources changed."""
    if value.get("resourceType") != "Bundle":
        return change(value)
    if not value.get("entry"):
        return value
    return {**value, "entry": [{**one, "resource": change(one["resource"])} for one in value["entry"]]}


def _given(patient: Resource) -> str:
    digest = hashlib.sha256(str(patient.get("id")).encode()).digest()
    return _GIVEN[int.from_bytes(digest[:4], "big") % len(_GIVEN)]
