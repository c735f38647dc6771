"""Reads our Groups from a FHIR server and writes them to it."""

import re
from collections.abc import Iterator
from typing import Final

from wardround.fhir.client import FhirClient
from wardround.fhir.page import dicts
from wardround.fhir.references import Resource, is_id
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.high_band_group import GROUP_SYSTEM

# FHIR's own ids, and the variants that some servers use; the value goes into a header.
_VERSION: Final = re.compile(r"[!#-~]{1,200}", re.ASCII)


def held(client: FhirClient, identity: str) -> list[Resource]:
    """Returns the Groups that the server holds under the value of our identifier; normally one.

    References are relative.
    """
    by_id: dict[str, Resource] = {}
    for resource in client.search("Group", {"identifier": [f"{GROUP_SYSTEM}|{identity}"]}):
        if resource.get("resourceType") == "Group" and is_id(resource.get("id")) and identity in _identities(resource):
            by_id[resource["id"]] = client.source.bases.localised(resource)
    return list(by_id.values())


def write(client: FhirClient, group: Resource) -> WriteOutcome:
    """Writes a Group and returns the outcome. If no answer came, check what the server holds.

    A Group with an id updates the server's Group of this id, if nobody else has changed it since it was read.
    """
    request = _update(group) if "id" in group else _new(client, group)
    sure = request["method"] == "PUT"
    (answer,) = client.batch([{"resource": group, "request": request}], repeat=sure)
    return WriteOutcome.of(answer)


def _identities(resource: Resource) -> Iterator[str]:
    return (str(one.get("value")) for one in dicts(resource.get("identifier")) if one.get("system") == GROUP_SYSTEM)


def _update(group: Resource) -> dict[str, str]:
    meta = group.get("meta")
    version = str(meta.get("versionId", "")) if isinstance(meta, dict) else ""
    condition = {"ifMatch": f'W/"{version}"'} if _VERSION.fullmatch(version) else {}
    return {"method": "PUT", "url": f"Group/{group['id']}", **condition}


def _new(client: FhirClient, group: Resource) -> dict[str, str]:
    criteria = f"identifier={GROUP_SYSTEM}|{group['identifier'][0]['value']}"
    if client.source.profile.creates_by_update:
        return {"method": "PUT", "url": f"Group?{criteria}"}
    condition = {"ifNoneExist": criteria} if client.source.profile.has_conditional_create else {}
    return {"method": "POST", "url": "Group", **condition}
