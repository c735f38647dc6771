"""Checks whether the server that takes a source's results can take them, and which profile fits it."""

from collections.abc import Mapping
from typing import Any, Final

from requests.adapters import BaseAdapter

from wardround.core.server_profiles import fitting, takes_results
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.probe import Probe
from wardround.spec.base import SpecModel
from wardround.spec.servers import ServerProfile
from wardround.workflows.check_source.findings import Finding, Findings
from wardround.workflows.check_source.verdict import problems_with_results
from wardround.workflows.check_source.writing import SYSTEM, probe_writing

_MAPPED: Final = ("Patient", "Encounter")


class ResultsCheck(SpecModel):
    """What is known about the server that takes the results; the attributes are as in SourceCheck."""

    server: str
    declares: bool
    profile: str
    known_from: str
    why: str
    findings: tuple[Finding, ...]
    differences: dict[str, Any]
    problems: tuple[str, ...]

    @property
    def problems_there(self) -> tuple[str, ...]:
        """The problems, each with the server that it is about."""
        return tuple(f"{self.server}: {problem}" for problem in self.problems)


def check_results(
    taker: FhirEndpoint,
    profiles: Mapping[str, ServerProfile],
    mapped: bool,
    write: bool,
    transport: BaseAdapter | None,
) -> ResultsCheck:
    """Asks the server what it takes; with `mapped` also whether its own Patients are found by identifier.

    Raises as `check_source` does.
    """
    findings = Findings()
    with Probe(taker, transport) as probe:
        probe.sign_in()
        asked = probe.metadata()
        findings.add("metadata", asked, asked.kind == "CapabilityStatement")
        for kind in _MAPPED if mapped else ():
            found = probe.get(kind, [("identifier", f"{SYSTEM}|nobody")])
            findings.add(f"{kind} by identifier", found, not found.resources(kind))
        if write:
            probe_writing(probe, findings)
    # A profile that was chosen is the one that a run will use.
    profile, why = (
        fitting(asked.body, profiles.values()) if taker.recognise else (taker.profile, "it was chosen by name")
    )
    differences = findings.differences(profile)
    return ResultsCheck(
        server=taker.base_url,
        declares=bool(takes_results(asked.body)),
        profile=profile.id,
        known_from=profile.known_from,
        why=why,
        findings=tuple(findings.rows),
        differences=differences,
        problems=tuple(problems_with_results(asked.body, findings, differences, profile.id)),
    )
