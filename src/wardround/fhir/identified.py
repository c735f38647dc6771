"""Finds the resources of another server that carry the identifiers of resources at one server."""

from collections.abc import Collection, Mapping, Sequence

from wardround.core.identifier import Identifier
from wardround.fhir.client import FhirClient
from wardround.fhir.page import dicts
from wardround.fhir.references import Resource
from wardround.fhir.risk_assessments import VALUES_PER_SEARCH
from wardround.fhir.versions import newest_of


def with_identifiers(
    client: FhirClient, kind: str, wanted: Mapping[str, Sequence[Identifier]]
) -> dict[str, list[Resource]]:
    """Returns, for each key of `wanted`, the server's resources of a type with any of its identifiers, each once.

    Sends one search for all of them, or as many as it takes. System and value must both be equal: if a server matches
    by the value alone, or by part of it, no patient gets another patient's results.
    """
    sought = sorted({identifier for identifiers in wanted.values() for identifier in identifiers})
    tokens = [f"{system}|{value}" for system, value in sought]
    given = (
        resource
        for start in range(0, len(tokens), VALUES_PER_SEARCH)
        for resource in client.search(kind, {"identifier": tokens[start : start + VALUES_PER_SEARCH]})
    )
    by_id = newest_of(kind, given, client.source.bases)
    holders: dict[Identifier, set[str]] = {}
    for key, resource in by_id.items():
        for identifier in carried(resource):
            holders.setdefault(identifier, set()).add(key)
    return {key: _held(by_id, holders, identifiers) for key, identifiers in wanted.items()}


def _held(
    by_id: Mapping[str, Resource], holders: Mapping[Identifier, Collection[str]], identifiers: Sequence[Identifier]
) -> list[Resource]:
    keys = {key for identifier in identifiers for key in holders.get(identifier, ())}
    return [by_id[key] for key in sorted(keys)]


def carried(resource: Resource) -> list[Identifier]:
    """Returns all identifiers, old ones too: a former holder of a number may be meant too, and then none is chosen."""
    listed = dicts(resource.get("identifier"))
    return [Identifier(str(one.get("system")), str(one.get("value"))) for one in listed]
