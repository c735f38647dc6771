"""Who is screened and who is not, and why: the same by search, by export and from a folder."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder
from wardround.core.stays import eligible
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-01-02T05:00:00Z")
IMP = {"class": {"code": "IMP"}}
WARD = [
    {"resourceType": "Location", "id": "icu", "name": "MICU"},
    {"resourceType": "Location", "id": "room", "name": "Room 2", "partOf": {"reference": "Location/icu"}},
    {"resourceType": "Location", "id": "bed", "name": "Bed 2A", "partOf": {"reference": "Location/room"}},
    {"resourceType": "Location", "id": "lost", "name": "Bed 9", "partOf": {"reference": "Location/nowhere"}},
    {"resourceType": "Location", "id": "x", "name": "Bed X", "partOf": {"reference": "Location/y"}},
    {"resourceType": "Location", "id": "y", "name": "Bed Y", "partOf": {"reference": "Location/x"}},
]


def stint(location: str, **rest: Any) -> dict[str, Any]:
    return {"location": {"reference": f"Location/{location}"}, **rest}


def link(kind: str, patient: str) -> list[dict[str, Any]]:
    return [{"type": kind, "other": {"reference": f"Patient/p-{patient}"}}]


SINCE = {"start": "2026-01-01T20:00:00Z"}
# name: (what is odd about the Encounter, what about the Patient, outcome or reason; "" for not found)
BY_CLASS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "plain": ({}, {}, "scored"),
    "timeless": ({"period": None}, {}, "no_period"),
    "timeless-over": ({"period": None, "status": "finished"}, {}, ""),
    "end-only": ({"period": {"end": "2026-01-02T09:00:00Z"}}, {}, "no_period"),
    "date": ({"period": {"start": "2025-12-31"}}, {}, "scored"),
    "date-today": ({"period": {"start": "2026-01-02"}}, {}, "uncertain_period"),
    "date-yesterday": ({"period": {"start": "2026-01-01"}}, {}, "uncertain_period"),
    "month": ({"period": {"start": "2025-12"}}, {}, "scored"),
    "end-date": ({"period": {"start": "2025-12-29", "end": "2026-01-02"}}, {}, "uncertain_period"),
    "end-date-before": (
        {"status": "finished", "period": {"start": "2025-12-29", "end": "2025-12-31"}},
        {},
        "discharged",
    ),
    "end-date-long-ago": ({"period": {"start": "2025-12-01", "end": "2025-12-30"}}, {}, ""),
    "tomorrow": ({"period": {"start": "2026-01-03"}}, {}, ""),
    "reversed": ({"period": {"start": "2026-01-01T09:00:00Z", "end": "2026-01-01T08:00:00Z"}}, {}, "reversed_period"),
    "planned": ({"status": "planned"}, {}, "unusable_status"),
    "modified": ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, {}, "modifier_extension"),
    "dead": ({}, {"deceasedDateTime": "2026-01-02T02:30:00Z"}, "deceased"),
    "dead-now": ({}, {"deceasedBoolean": True}, "deceased"),
    "dead-today": ({}, {"deceasedDateTime": "2026-01-02"}, "deceased"),
    "dead-later": ({}, {"deceasedDateTime": "2026-01-04"}, "scored"),
    "alive": ({}, {"deceasedBoolean": False}, "scored"),
    "merged": ({}, {"active": False, "link": link("replaced-by", "survivor")}, "merged_patient"),
    "survivor": ({}, {"link": link("replaces", "merged")}, "scored"),
    "silent": ({}, {}, "merged_patient"),
    "replacer": ({}, {"link": link("replaces", "silent")}, "scored"),
    "twin-a": ({}, {"link": link("seealso", "twin-b")}, "scored"),
    "twin-b": ({}, {"link": link("seealso", "twin-a")}, "merged_patient"),
    "referred": ({}, {"link": link("refer", "nobody")}, "scored"),
    "inactive": ({}, {"active": False}, "inactive_patient"),
    "no-such": ({"subject": {"reference": "Patient/none"}}, {}, "unknown_patient"),
    "someone-else": ({}, {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "modifier_extension"),
    "year": ({}, {"birthDate": "1960"}, "scored"),
    "year-too-young": ({}, {"birthDate": "2009"}, "under_age"),
    "year-old-enough": ({}, {"birthDate": "2007"}, "scored"),
    "month-of-doubt": ({}, {"birthDate": "2008-01"}, "uncertain_age"),
    "ageless": ({}, {"birthDate": None}, "no_birth_date"),
    "other": (IMP, {}, ""),
}
BY_LOCATION: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "icu": ({**IMP, "location": [stint("icu", status="active", period=SINCE)]}, {}, "scored"),
    "bed": ({**IMP, "location": [stint("bed", status="active", period=SINCE)]}, {}, "scored"),
    "whole": ({**IMP, "location": [stint("bed", status="active", period=SINCE)]}, {}, "parent_encounter"),
    "timeless": ({**IMP, "period": None, "location": [stint("bed", status="active")]}, {}, "no_period"),
    "timeless-bed": ({**IMP, "period": None, "location": [stint("bed", period=SINCE)]}, {}, "scored"),
    "planned": ({**IMP, "location": [stint("bed", status="planned", period=SINCE)]}, {}, ""),
    "reserved": ({**IMP, "location": [stint("bed", status="reserved")]}, {}, ""),
    "completed": ({**IMP, "location": [stint("room", status="completed")]}, {}, ""),
    "left": ({**IMP, "location": [stint("room", period={**SINCE, "end": "2026-01-02T01:00:00Z"})]}, {}, "discharged"),
    "bed-date": ({**IMP, "location": [stint("bed", period={"start": "2025-12-31"})]}, {}, "scored"),
    "lost": ({**IMP, "location": [stint("lost", period=SINCE)]}, {}, ""),
    "circle": ({**IMP, "location": [stint("x", period=SINCE)]}, {}, ""),
    "class": ({}, {}, ""),
}


def people(icu, cases: dict[str, tuple[dict[str, Any], dict[str, Any], str]]) -> dict[str, str]:
    """Puts the cases into the ICU; gives what each Encounter that is to be found ends as."""
    icu.resources += WARD
    for name, (encounter, patient, _) in cases.items():
        icu.stay(name, **encounter)
        for resource in icu.resources:
            if resource["id"] == f"p-{name}":
                resource |= patient
    for place, resource in enumerate(icu.resources):
        icu.resources[place] = {key: value for key, value in resource.items() if value is not None}
    return {f"e-{name}": outcome for name, (_, _, outcome) in cases.items() if outcome}


def screened_account(summary: dict[str, Any], settings: Any) -> dict[str, str]:
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    ends = [reason or outcome for outcome, reason in zip(ledger["outcome"], ledger["reason"], strict=True)]
    return dict(zip(ledger["stay_id"], ends, strict=True))


def folder_account(resources: list[dict[str, Any]], encounters: Encounters, folder: Path, settings: Any) -> dict:
    folder.mkdir()
    (folder / "all.ndjson").write_text("".join(f"{json.dumps(resource)}\n" for resource in resources))
    found = FhirFolderSource(folder, encounters).find_stays(AS_OF - pd.Timedelta(hours=24), AS_OF)
    cohort = eligible(found.stays, AS_OF, load_condition("sepsis", settings.schemas))
    left_out = pd.concat([cohort.excluded, found.set_aside])
    return dict.fromkeys(cohort.eligible["stay_id"], "scored") | dict(
        zip(left_out["stay_id"], left_out["reason"], strict=True)
    )


def test_by_class_all_three_ways_give_the_same_account(icu, server, screened, settings, tmp_path) -> None:
    expected = people(icu, BY_CLASS)
    icu.upload(server)
    assert screened_account(screened(cohort="search"), settings) == expected
    assert screened_account(screened(cohort="export"), settings) == expected
    assert folder_account(icu.resources, Encounters(classes=("ACUTE",)), tmp_path / "fhir", settings) == expected


def test_by_location_all_three_ways_give_the_same_account(icu, server, screened, settings, tmp_path) -> None:
    expected = people(icu, BY_LOCATION)
    nested = next(resource for resource in icu.resources if resource["id"] == "e-bed")
    whole = next(resource for resource in icu.resources if resource["id"] == "e-whole")
    nested |= {"partOf": {"reference": "Encounter/e-whole"}, "subject": whole["subject"]}
    icu.upload(server)
    assert screened_account(screened(cohort="locations:MICU"), settings) == expected
    assert folder_account(icu.resources, Encounters(locations=("MICU",)), tmp_path / "fhir", settings) == expected


def test_an_age_that_is_known_to_the_year_is_unknown_and_said_to_be(icu, server, screened, held) -> None:
    people(icu, {name: BY_CLASS[name] for name in ("plain", "year")})
    icu.upload(server)
    assert screened()["written"] == 2
    notes = {resource["subject"]["reference"]: resource["note"][0]["text"] for resource in held("RiskAssessment")}
    assert "Age" in notes["Patient/p-year"].partition("Missing inputs:")[2]
    assert "Age" not in notes["Patient/p-plain"]


def test_patients_named_in_a_file_have_the_same_account(icu, server, screened, settings, tmp_path) -> None:
    expected = people(icu, BY_CLASS)
    icu.upload(server)
    (tmp_path / "ids.csv").write_text(
        "patient_id\n" + "\n".join(one["id"] for one in icu.resources if one["resourceType"] == "Patient")
    )
    found = screened_account(screened(cohort=f"file:{tmp_path / 'ids.csv'}"), settings)
    # Whoever has no stay of his own, or none at all, is in the cohort's own account.
    assert found == {stay: outcome for stay, outcome in expected.items() if outcome != "unknown_patient"}
