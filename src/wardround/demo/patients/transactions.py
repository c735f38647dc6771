"""Makes of a prefetch a transaction that any FHIR server takes, whichever ids it gives, and uploads it.

It sees patient values; it never logs.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from wardround.demo.patients.made_up import SYSTEM
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource

_DROPPED: Final = object()


def transaction(resources: Iterable[Resource]) -> Resource:
    """Returns a Bundle that creates the resources, each unless it is there; their references are relative.

    Entries refer to each other by `urn:uuid`; references to anything else are left out, as a server may insist on
    having what they name. Each resource has an identifier of ours, which makes it safe to send the Bundle twice.
    """
    found = {f"{one.get('resourceType')}/{one.get('id')}": one for one in resources}
    addresses = {reference: f"urn:uuid:{_key(one)}" for reference, one in found.items()}
    entries = [
        {
            "fullUrl": addresses[reference],
            "resource": _linked(one, addresses),
            "request": {
                "method": "POST",
                "url": one["resourceType"],
                "ifNoneExist": f"identifier={SYSTEM}|{_key(one)}",
            },
        }
        for reference, one in found.items()
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def upload(bundle: Resource, client: FhirClient) -> str:
    """Sends a transaction, and returns the `Patient/id` that the server gave. Raises FhirError."""
    for asked, answered in zip(bundle["entry"], client.transaction(bundle), strict=True):
        if asked["request"]["url"] == "Patient":
            place = str(answered.get("response", {}).get("location", "")).partition("/_history/")[0]
            given = "/".join(place.split("/")[-2:]) if place else f"Patient/{answered.get('resource', {}).get('id')}"
            if given.startswith("Patient/"):
                return given
    raise FhirError(
        f"{client.source.base_url}: did not say which id it gave the Patient, expected a location; look there"
    )


def _key(resource: Resource) -> str:
    return next(str(one["value"]) for one in resource["identifier"] if one.get("system") == SYSTEM)


def _linked(node: Any, addresses: Mapping[str, str]) -> Any:
    """Returns the JSON with references to the Bundle's own resources, and no others; _DROPPED if nothing is left."""
    if isinstance(node, dict):
        items = {key: _linked(value, addresses) for key, value in node.items() if key != "reference"}
        kept = {key: value for key, value in items.items() if value is not _DROPPED}
        if isinstance(target := node.get("reference"), str) and (target in addresses or target.startswith("#")):
            kept["reference"] = addresses.get(target, target)
        return kept or _DROPPED
    if isinstance(node, list):
        listed = [one for item in node if (one := _linked(item, addresses)) is not _DROPPED]
        return listed or _DROPPED
    return node
