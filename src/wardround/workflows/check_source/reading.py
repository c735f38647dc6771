"""A server in, what can be read from it and how out. Nothing is written; values of patients are never kept.

A search parameter works if a value that nothing has finds nothing: a server that ignores it answers with everything.
"""

from collections.abc import Sequence
from typing import Final

from wardround.fhir.probe import Asked, Pairs, Probe
from wardround.workflows.check_source.findings import Findings

PAGE_ASKED: Final = 1000
_CODE: Final = ("code", "http://loinc.org|8867-4")  # heart rate
_CATEGORY: Final = ("category", "vital-signs")
_BEFORE: Final = "le1800-01-01"  # an Encounter that goes on overlaps every future
_LATER: Final = "ge2999-01-01"
_ONE: Final = ("_count", "1")
# Encounter search parameters, and a value of each that no Encounter has.
_NOWHERE: Final = {
    "class": "wardround-no-such-class",
    "type": "wardround-no-such-type",
    "location": "Location/wardround-no-such-location",
    "date": _BEFORE,
    "status": "wardround-no-such-status",
}


def probe_reading(probe: Probe, given: Sequence[str], findings: Findings) -> None:
    """Fills in what searches of Encounter and Observation the server bears; `given` are ids of patients to ask with."""
    everyone = probe.get("Encounter", [("_count", "20")])
    findings.add("Encounter without a patient", everyone, everyone.kind == "Bundle")
    findings.facts["encounter_needs_patient"] = everyone.refused
    _origins(everyone, findings)
    patients = list(given) or everyone.patients("Encounter")[:2] or _patients(probe)
    if everyone.refused and not patients:
        return
    mine: Pairs = [("patient", patients[0])] if everyone.refused else []
    some = probe.get("Encounter", [*mine, _ONE]) if mine else everyone
    _encounters(probe, mine, bool(some.resources("Encounter")), findings)
    _locations(probe, findings)
    _patient(probe, patients, findings)
    _patients_in_searches(probe, patients, findings)
    _observations(probe, patients, findings)


def _origins(everyone: Asked, findings: Findings) -> None:
    """Whether Encounters are about patients of this server; one behind a proxy may call itself by another name."""
    if everyone.resources("Encounter"):
        foreign = everyone.foreign_subjects("Encounter")
        detail = f"{foreign} lead to another base URL: if it is this server, list it as an alias" if foreign else ""
        findings.add("Encounter.subject leads to this server", everyone, not foreign, detail)


def _patient(probe: Probe, patients: Sequence[str], findings: Findings) -> None:
    """Whether the Patients of Encounters can be read, without whose birth dates nobody is screened."""
    if patients:
        asked = probe.get("Patient", [("_id", patients[0])])
        findings.add("Patient by id", asked, bool(asked.resources("Patient")))


def _patients(probe: Probe) -> list[str]:
    found = probe.get("Patient", [("_count", "2")])
    return [str(patient.get("id")) for patient in found.resources("Patient")]


def _encounters(probe: Probe, mine: Pairs, any_there: bool, findings: Findings) -> None:
    def filtered(question: str, *criteria: tuple[str, str]) -> bool | None:
        """Whether the criteria, which nothing meets, find nothing; None if there is nothing to leave out."""
        asked = probe.get("Encounter", [*mine, *criteria, _ONE])
        return proven(question, asked)

    def proven(question: str, asked: Asked) -> bool | None:
        outcome = findings.add(question, asked, not asked.resources("Encounter") if any_there else None)
        return None if outcome == "unproven" else outcome == "works"

    by = {name: filtered(f"Encounter by {name}", (name, value)) for name, value in _NOWHERE.items()}
    if None not in by.values():
        findings.facts["encounter_by"] = tuple(name for name, works in by.items() if works)
    names = {
        "has_last_updated": filtered("Encounter by _lastUpdated", ("_lastUpdated", _LATER)),
        "has_date_with_last_updated": filtered(
            "Encounter by date and _lastUpdated", ("date", "ge1900-01-01"), ("_lastUpdated", _LATER)
        ),
        "has_post_search": proven("Encounter by a posted search", probe.post("Encounter", [("_id", "none"), _ONE])),
    }
    findings.facts |= {name: works for name, works in names.items() if works is not None}
    included = probe.get("Encounter", [*mine, ("_include", "Encounter:patient"), _ONE])
    outcome = findings.add(
        "_include of the patient", included, bool(included.resources("Patient")) if any_there else None
    )
    findings.fact("has_include", outcome == "works", outcome)


def _locations(probe: Probe, findings: Findings) -> None:
    """Whether the parts of a Location are found, such as the beds of a unit."""
    any_there = bool(probe.get("Location", [_ONE]).resources("Location"))
    asked = probe.get("Location", [("partof", _NOWHERE["location"]), _ONE])
    outcome = findings.add("Location by partof", asked, not asked.resources("Location") if any_there else None)
    findings.fact("has_location_parts", outcome == "works", outcome)


def _patients_in_searches(probe: Probe, patients: Sequence[str], findings: Findings) -> None:
    """How a search names a patient, and whether it may name two."""
    if not patients:
        return
    bare = probe.get("Encounter", [("patient", patients[0]), _ONE])
    typed = probe.get("Encounter", [("patient", f"Patient/{patients[0]}"), _ONE])
    known = bool(bare.resources("Encounter")), bool(typed.resources("Encounter"))
    outcome = findings.add("Encounter by patient, named by id", bare, known[0] if any(known) else None)
    findings.fact("references", "id" if known[0] else "type_and_id", outcome if any(known) else "unproven")
    if len(patients) > 1:
        prefix = "" if known[0] else "Patient/"
        both = probe.get("Encounter", [("patient", ",".join(f"{prefix}{one}" for one in patients)), ("_count", "100")])
        seen = set(both.patients("Encounter"))
        outcome = findings.add("Encounter of two patients", both, seen >= set(patients) if any(known) else None)
        findings.fact("patients_per_search", PAGE_ASKED if outcome == "works" else 1, outcome)


def _observations(probe: Probe, patients: Sequence[str], findings: Findings) -> None:
    prefix = "Patient/" if findings.facts.get("references") == "type_and_id" else ""
    everyone = probe.get("Observation", [_ONE])
    findings.add("Observation without a patient", everyone, everyone.kind == "Bundle")
    broadest: Pairs = []
    if patients:
        mine = [("patient", f"{prefix}{patients[0]}")]
        plain = probe.get("Observation", [*mine, _ONE])
        findings.add("Observation of a patient", plain, True)
        coded = findings.add("Observation of a patient by code", probe.get("Observation", [*mine, _CODE, _ONE]), True)
        listed = probe.get("Observation", [*mine, _CATEGORY, _ONE])
        findings.add("Observation of a patient by category", listed, True)
        needs = "nothing" if not plain.refused else "category" if coded == "refused" else "code_or_category"
        findings.fact("observation_needs", needs, "unproven" if plain.refused and listed.refused else "works")
        if everyone.refused:
            broadest = mine if not plain.refused else [*mine, _CATEGORY]
    if len(patients) > 1:
        names = ",".join(f"{prefix}{one}" for one in patients)
        posted = probe.post("Observation", [("patient", names), _CODE, ("_count", "100")])
        others = set(posted.patients("Observation")) - set(patients)
        detail = "answered with other patients" if others else ""
        findings.add("Observation of two patients by code, posted", posted, not others, detail)
    _pages(probe, broadest, findings)


def _pages(probe: Probe, mine: Pairs, findings: Findings) -> None:
    large = probe.get("Observation", [*mine, ("_count", str(PAGE_ASKED)), ("_elements", "id")])
    given = len(large.resources("Observation"))
    capped = large.following is not None and given < PAGE_ASKED
    detail = f"{given} of {PAGE_ASKED}" if capped else "" if large.following else f"all {given} fit"
    findings.add(f"a page of {PAGE_ASKED}", large, True if large.following else None, detail)
    # A page that holds all that was asked for may well be smaller than the largest.
    if capped and given:
        findings.facts["page_size"] = given
    first = probe.get("Observation", [*mine, ("_count", "2")])
    if first.following is None:
        findings.add("the next page", first, None)
        return
    second = probe.follow(first)
    findings.add("the next page", second, not _ids(first) & _ids(second))


def _ids(page: Asked) -> set[str]:
    return {str(each.get("id")) for each in page.resources("Observation")}
