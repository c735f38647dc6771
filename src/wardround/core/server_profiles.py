"""Chooses the server profile that fits a CapabilityStatement, and says why."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wardround.spec.servers import GENERIC, ServerProfile


def other_version(statement: Mapping[str, Any]) -> str:
    """Returns the FHIR version that a CapabilityStatement names if it is not R4; empty if it is R4 or not stated."""
    version = statement.get("fhirVersion")
    return version if isinstance(version, str) and not re.match(r"4\.0(\.|$)", version) else ""


def takes_results(statement: Mapping[str, Any]) -> bool | None:
    """Returns whether a CapabilityStatement allows creating or updating RiskAssessments; None if it does not say."""
    listed = [resource for rest in _objects(statement.get("rest")) for resource in _objects(rest.get("resource"))]
    offered = [resource.get("interaction") for resource in listed if resource.get("type") == "RiskAssessment"]
    if not listed or not all(isinstance(interactions, list) for interactions in offered):
        return None
    codes = (one.get("code") for interactions in offered for one in _objects(interactions))
    return any(code in ("create", "update") for code in codes)


def _objects(items: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in items if isinstance(item, Mapping)) if isinstance(items, list) else iter(())


class Fit(NamedTuple):
    """A profile, and the reason for choosing it, in words."""

    profile: ServerProfile
    why: str


def fitting(statement: Mapping[str, Any], profiles: Iterable[ServerProfile]) -> Fit:
    """Returns the profile whose `recognised_by` occurs in the statement as whole words; if none does, the generic one.

    The name of the software takes precedence over what its operator writes.
    """
    known = list(profiles)
    for place, text in _names(statement):
        for profile in known:
            for mark in profile.recognised_by:
                if re.search(rf"\b{re.escape(mark)}\b", text, re.IGNORECASE):
                    return Fit(profile, f"CapabilityStatement.{place} says {mark}")
    return Fit(GENERIC, "nothing in its CapabilityStatement names a kind of server that has a profile")


def _names(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for element, part in (("software", "name"), ("implementation", "description")):
        inner = statement.get(element)
        if isinstance(inner, Mapping):
            yield f"{element}.{part}", str(inner.get(part, ""))
    yield "publisher", str(statement.get("publisher", ""))
