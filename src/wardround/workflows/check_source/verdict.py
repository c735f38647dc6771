"""What a check found out in; why a screening could not run, in sentences, out.

A check that ends well must mean that a screening can read what it needs. What the server merely lacks, and Wardround
does without, is no reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from wardround.core.server_profiles import other_version, takes_results
from wardround.fhir.references import Resource
from wardround.workflows.check_source.findings import BY_IDENTIFIER, REMOVING, Findings

# Facts with which a profile that states otherwise asks what the server refuses, or finds nothing.
_BREAKING: Final[Mapping[str, Any]] = {
    "encounter_needs_patient": True,
    "has_post_search": False,
    "patients_per_search": 1,
    "has_batch": False,
    "has_conditional_update": False,
}
_BREAKING_WHATEVER: Final = ("references", "observation_needs")
_READS: Final = {
    "Observations": (
        *("Observation of a patient", "Observation of a patient by code"),
        *("Observation of a patient by category", "Observation of two patients by code, posted"),
    ),
    "Patients": ("Patient by id", "_include of the patient"),
}


def problems(statement: Resource, findings: Findings, differences: Mapping[str, Any], profile: str) -> list[str]:
    """Why a screening could not run; nothing if it can."""
    found = [*_version(statement), *_encounters(findings), *_no_patient_to_search_with(findings), *_reading(findings)]
    # A server that answers nothing says nothing about a profile.
    return found or [*_profile(differences, profile), *_writing(findings)]


def problems_with_results(
    statement: Resource, findings: Findings, differences: Mapping[str, Any], profile: str
) -> list[str]:
    """Why a server could not take the results of another one; nothing if it can."""
    return [
        *_version(statement),
        *_declaring(statement),
        *_mapping(findings),
        *_profile(differences, profile),
        *_writing(findings),
    ]


def _declaring(statement: Resource) -> Iterator[str]:
    if takes_results(statement) is False:
        yield "it accepts no RiskAssessment according to its CapabilityStatement; write the results to another server"


def _mapping(findings: Findings) -> Iterator[str]:
    for row in findings.rows:
        if row.question in ("Patient by identifier", "Encounter by identifier") and row.outcome != "works":
            kind = row.question.partition(" ")[0]
            yield f"{kind}s are not found by identifier ({row.detail or row.outcome}); unset map_by_identifier"


def _version(statement: Resource) -> Iterator[str]:
    if other := other_version(statement):
        yield f"it uses FHIR {other}, expected R4 (4.0); use the base URL of its R4 interface"


def _encounters(findings: Findings) -> Iterator[str]:
    outcomes = {row.question: row for row in findings.rows}
    everyone, one = outcomes["Encounter without a patient"], outcomes.get("Encounter by patient, named by id")
    if everyone.outcome == "refused" and one and one.outcome == "refused" and "references" not in findings.facts:
        yield f"Encounters cannot be searched ({one.detail}); check the base URL and the permissions"


def _reading(findings: Findings) -> Iterator[str]:
    outcomes = {row.question: row for row in findings.rows}
    for what, questions in _READS.items():
        asked = [outcomes[question] for question in questions if question in outcomes]
        if asked and all(row.outcome in ("refused", "ignored") for row in asked):
            yield (
                f"{what} cannot be read ({asked[0].detail or 'nothing came back'});"
                " check the base URL and the permissions"
            )


def _no_patient_to_search_with(findings: Findings) -> Iterator[str]:
    asked = {row.question for row in findings.rows}
    if findings.facts.get("encounter_needs_patient") and "Observation of a patient" not in asked:
        told = next(row.detail for row in findings.rows if row.question == "Encounter without a patient")
        yield f"Encounters cannot be searched without a patient ({told}); check the base URL, or give --patient ID"


def _profile(differences: Mapping[str, Any], profile: str) -> Iterator[str]:
    wrong = [name for name in differences if name in _BREAKING_WHATEVER or differences[name] == _BREAKING.get(name)]
    if wrong:
        yield f"profile {profile} does not fit this server ({', '.join(wrong)}); choose or write one that fits"


def _writing(findings: Findings) -> Iterator[str]:
    tried = "has_conditional_update" in findings.facts
    found = [row for row in findings.rows if row.question == BY_IDENTIFIER]
    if any(row.outcome in ("refused", "ignored") for row in found):
        yield "RiskAssessments are not found by their identifier, so none was written; screen in shadow mode only"
    elif tried and findings.facts.get("has_conditional_create") is False and not _holds(findings):
        yield "it accepts no RiskAssessment; check the permissions, or screen in shadow mode only"


def _holds(findings: Findings) -> bool:
    """Whether the server held the test resource at any time."""
    return bool(findings.facts.get("has_conditional_update")) or any(row.question == REMOVING for row in findings.rows)
