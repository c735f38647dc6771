"""A FHIR server in; what it can do, which profile fits, and what Wardround will therefore do, out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from requests.adapters import BaseAdapter

from wardround.core.server_profiles import Fit, fitting, takes_results
from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.page import dicts
from wardround.fhir.probe import Probe
from wardround.fhir.profiles import with_profile
from wardround.fhir.references import Resource
from wardround.spec.base import SpecModel
from wardround.spec.cohorts import Encounters
from wardround.spec.servers import ServerProfile
from wardround.spec.variables import Variable
from wardround.workflows.check_source.counting import Counts, count
from wardround.workflows.check_source.findings import Finding, Findings
from wardround.workflows.check_source.plan import plan
from wardround.workflows.check_source.reading import probe_reading
from wardround.workflows.check_source.results import ResultsCheck, check_results
from wardround.workflows.check_source.sample import Sample, sample
from wardround.workflows.check_source.verdict import problems
from wardround.workflows.check_source.writing import probe_writing

_NONE_OF_THEIR_OWN: Final[Mapping[str, Encounters]] = {}
# What a FHIR server answers to /metadata and to a search, be it with an error.
_FHIR: Final = ("CapabilityStatement", "Bundle", "OperationOutcome")
_NOT_HERE: Final = (404, 405, 410)


class SourceCheck(SpecModel):
    """What is known about a server after a check.

    Attributes:
        software: what it calls itself, with its version.
        security: how its CapabilityStatement says to sign in.
        declares: whether it lists RiskAssessment among what can be written.
        why: why this profile.
        differences: facts that the profile states otherwise, by key.
        plan: what Wardround will do, by the profile.
        counts: what the server has now; None where that cannot be asked without patients, or nothing can.
        sample: what ICU patients had measured in the last day; None where it was not asked for, or cannot be.
        results: the same of the server that takes the results, where that is another one; then this one is only read.
        problems: why a screening could not run; none if it can.
    """

    source: str
    software: str
    fhir_version: str
    security: tuple[str, ...]
    declares: bool
    profile: str
    known_from: str
    why: str
    findings: tuple[Finding, ...]
    differences: dict[str, Any]
    quirks: tuple[str, ...]
    plan: tuple[str, ...]
    counts: Counts | None
    sample: Sample | None
    results: ResultsCheck | None
    problems: tuple[str, ...]


def check_source(
    source: FhirEndpoint,
    profiles: Mapping[str, ServerProfile],
    *,
    chosen: str | None = None,
    patients: Sequence[str] = (),
    write: bool = False,
    conditions: Mapping[str, Encounters] = _NONE_OF_THEIR_OWN,
    now: datetime | None = None,
    sampled: Mapping[str, Variable] | None = None,
    transport: BaseAdapter | None = None,
) -> SourceCheck:
    """Asks the server all of it; writes nothing unless `write`.

    Args:
        source: the server, and how to sign in.
        profiles: the known ones, by id.
        chosen: id of the profile to compare with; without, the one that the CapabilityStatement points at.
        patients: ids of patients to ask with, for a server that answers nothing without one.
        conditions: which Encounters conditions are about that say so, by their id.
        now: the time for which Encounters are counted; without it they are not.
        sampled: the variables by which Observations of ICU patients are looked at; without them they are not.
        write: also try writes, with a marked resource that is removed again, on the server that takes the results.
        transport: what sends the requests, for tests.

    Raises:
        FhirUnreachable, FhirRefused: nothing can be found out.
        FhirError: nobody can sign in, or what is there is no FHIR server.
    """
    # Found out by asking, not by the profile that is yet to be found.
    findings = Findings()
    with Probe(source, transport) as probe:
        probe.sign_in()
        asked = probe.metadata()
        findings.add("metadata", asked, asked.kind == "CapabilityStatement")
        if asked.kind != "CapabilityStatement":
            _require_fhir(probe, source)
        probe_reading(probe, patients, findings)
        if write and not source.write_to:
            probe_writing(probe, findings)
    fit = Fit(profiles[chosen], "it was chosen by name") if chosen else fitting(asked.body, profiles.values())
    suited, differences = with_profile(source, fit.profile), findings.differences(fit.profile)
    wrong = problems(asked.body, findings, differences, fit.profile.id)
    results: ResultsCheck | None = None
    if taker := source.write_to:
        results = check_results(taker, profiles, source.map_by_identifier, write, transport)
        suited = replace(suited, write_to=with_profile(taker, profiles.get(results.profile, taker.profile)))
    counts: Counts | None = None
    met: Sample | None = None
    if now and not wrong and not fit.profile.encounter_needs_patient:
        try:
            counts = count(suited, conditions, now, transport)
            met = sample(suited, sampled, now, transport) if sampled else None
        except FhirError as error:
            wrong = [str(error)]
    return SourceCheck(
        source=source.base_url,
        software=_software(asked.body),
        fhir_version=str(asked.body.get("fhirVersion", "unknown")),
        security=_security(asked.body),
        declares=bool(takes_results(asked.body)),
        profile=fit.profile.id,
        known_from=fit.profile.known_from,
        why=fit.why,
        findings=tuple(findings.rows),
        differences=differences,
        quirks=fit.profile.quirks,
        plan=tuple(plan(suited, conditions)),
        counts=counts,
        sample=met,
        results=results,
        problems=(*wrong, *(results.problems_there if results else ())),
    )


def _require_fhir(probe: Probe, source: FhirEndpoint) -> None:
    """Raises FhirError where a search is no search either: a table of refusals would say nothing."""
    asked = probe.get("Encounter", [("_count", "1")])
    if asked.kind not in _FHIR:
        what = f"{source.base_url}: answered {asked.status}, but not with FHIR, expected FHIR; check the base URL"
        raise FhirError(asked.complaint or what)
    if asked.status in _NOT_HERE:
        what = (
            f"{source.base_url}: answered {asked.status} to /metadata and to a search of Encounters, expected FHIR R4"
        )
        raise FhirError(f"{what}; check the base URL")


def _software(statement: Resource) -> str:
    software = statement.get("software")
    if not isinstance(software, dict):
        return "unnamed"
    return " ".join(str(software[key]) for key in ("name", "version") if software.get(key)) or "unnamed"


def _security(statement: Resource) -> tuple[str, ...]:
    security = _rest(statement).get("security")
    services = dicts(security.get("service")) if isinstance(security, dict) else ()
    codes = (coding.get("code") for service in services for coding in dicts(service.get("coding")))
    return tuple(str(code) for code in codes if code)


def _rest(statement: Resource) -> Resource:
    return next(dicts(statement.get("rest")), {})
