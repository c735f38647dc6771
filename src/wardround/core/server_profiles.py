"""A CapabilityStatement and the known server profiles in; the profile that fits, and why, out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wardround.spec.servers import GENERIC, ServerProfile


def other_version(statement: Mapping[str, Any]) -> str:
    """The FHIR version that a CapabilityStatement names if it is none of R4; empty if it is, or it names none."""
    version = statement.get("fhirVersion")
    return version if isinstance(version, str) and not re.match(r"4\.0(\.|$)", version) else ""


def takes_results(statement: Mapping[str, Any]) -> bool | None:
    """Whether RiskAssessments can be created or updated, by a CapabilityStatement; None if it leaves that open."""
    listed = [resource for rest in _objects(statement.get("rest")) for resource in _objects(rest.get("resource"))]
    offered = [resource.get("interaction") for resource in listed if resource.get("type") == "RiskAssessment"]
    if not listed or not all(isinstance(interactions, list) for interactions in offered):
        return None
    codes = (one.get("code") for interactions in offered for one in _objects(interactions))
    return any(code in ("create", "update") for code in codes)


def _objects(items: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in items if isinstance(item, Mapping)) if isinstance(items, list) else iter(())


class Fit(NamedTuple):
    """A profile, and why it was taken, in words."""

    profile: ServerProfile
    why: str


def fitting(statement: Mapping[str, Any], profiles: Iterable[ServerProfile]) -> Fit:
    """The profile whose `recognised_by` stands in the statement as whole words; the generic one if none does.

    What the software calls itself counts before what its operator writes.
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
