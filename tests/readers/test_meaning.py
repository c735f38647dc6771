"""Tests the context of values, with one odd patient in each ward: values are right, and readers agree."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.readers.three import Read, assert_same, by_folder, by_screening

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.conditions import Condition

AS_OF = datetime.fromisoformat("2026-03-10T05:00:00+00:00")
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"
Resource = dict[str, Any]


def concept(*codes: str) -> Resource:
    """Returns codings for codes given as system|code, with LOINC as the default system."""
    pairs = [code.rpartition("|") for code in codes]
    return {"coding": [{"system": system or LOINC, "code": code} for system, _, code in pairs]}


def valued(code: str | Resource, value: float, unit: str, **more: Any) -> Resource:
    named = concept(code) if isinstance(code, str) else code
    return {
        "code": named,
        "valueQuantity": {"value": value, "code": unit, "system": "http://unitsofmeasure.org"},
        **more,
    }


def pressures(code: Resource, systolic: float, diastolic: float, **more: Any) -> Resource:
    parts = [valued("8480-6", systolic, "mm[Hg]"), valued("8462-4", diastolic, "mm[Hg]")]
    return {"code": code, "component": parts, **more}


PULMONARY = {"coding": [{"system": SNOMED, "code": "81040000"}]}
GERMAN = concept(f"{SNOMED}|75367002", "85354-9", f"{MDC}|150016")
ASCITES = {
    "specimen": {"reference": "#s"},
    "contained": [{"resourceType": "Specimen", "id": "s", "type": {"text": "Ascites"}}],
}
UNKNOWN = [{"url": "urn:example:not-done", "valueBoolean": True}]
NEWBORN = [{"reference": "Patient/newborn"}]

# Name -> the patient's Observations, the values that count, and how many readings are set aside, and why.
WARD: dict[str, tuple[list[Resource], dict[str, list[float]], dict[str, int]]] = {
    "lung-by-code": (
        [pressures(concept("85354-9"), 121, 71), pressures(concept("76284-9"), 28, 12)],
        {"systolic_pressure": [121], "diastolic_pressure": [71]},
        {},
    ),
    "lung-by-site": (
        [pressures(GERMAN, 121, 71), pressures(GERMAN, 28, 12, bodySite=PULMONARY)],
        {"systolic_pressure": [121], "diastolic_pressure": [71]},
        {"body_site": 2},
    ),
    "lung-by-word": (
        [pressures(concept("85354-9"), 28, 12, bodySite={"text": "Pulmonary artery"})],
        {},
        {"body_site": 2},
    ),
    "lung-among-codes": ([pressures(concept("85354-9", "76284-9"), 28, 12)], {}, {"code": 2}),
    "catheter": (
        [pressures(concept("85354-9"), 28, 12, method={"text": "Right heart catheterization"})],
        {},
        {"method": 2},
    ),
    "old-panel": (
        [pressures(concept("55284-4"), 141, 82)],
        {"systolic_pressure": [141], "diastolic_pressure": [82]},
        {},
    ),
    "standing": ([pressures(concept("34534-8"), 95, 60)], {}, {}),
    "newborn": (
        [valued("8867-4", 80, "/min"), valued("8867-4", 150, "/min", focus=NEWBORN)],
        {"heart_rate": [80]},
        {"focus": 1},
    ),
    "modified": (
        [
            valued("8867-4", 150, "/min", modifierExtension=UNKNOWN),
            {"code": concept("85354-9"), "component": [valued("8480-6", 90, "mm[Hg]", modifierExtension=UNKNOWN)]},
        ],
        {},
        {"modifier_extension": 2},
    ),
    "other-rules": ([valued("8867-4", 150, "/min", implicitRules="urn:example:rules")], {}, {"implicit_rules": 1}),
    "registered": (
        [valued("8867-4", 150, "/min", status="registered"), valued("8867-4", 99, "/min", status="unknown")],
        {},
        {"status": 2},
    ),
    "preliminary": ([valued("2524-7", 3.1, "mmol/L", status="preliminary")], {"lactate": [3.1]}, {}),
    "absent": (
        [
            {
                "code": concept("85354-9"),
                "component": [valued("8480-6", 90, "mm[Hg]", dataAbsentReason=concept("error"))],
            }
        ],
        {},
        {"no_value": 1},
    ),
    "ascites": ([valued("2524-7", 9.3, "mmol/L", **ASCITES)], {}, {"specimen": 1}),
    "glasgow": (
        [valued("9269-2", 11, "{score}", component=[valued("9267-6", 3, "{score}"), valued("9268-4", 5, "{score}")])],
        {"gcs_eye": [3], "gcs_motor": [5]},
        {},
    ),
    "oxygen": (
        [valued("59408-5", 93, "%", component=[valued("3150-6", 40, "%"), valued("3151-8", 6, "L/min")])],
        {"spo2": [93], "fio2": [40]},
        {},
    ),
    "twice": ([valued("8867-4", 80, "/min", component=[valued("8867-4", 79, "/min")])], {"heart_rate": [80]}, {}),
    "german": (
        [
            valued(concept(f"{SNOMED}|364075005"), 81, "/min"),
            valued(concept(f"{MDC}|147842"), 82, "/min"),
            valued("76248-4", 8, "cm[H2O]"),
            valued("71835-3", 0.4, "1"),
            valued("19840-8", 22, "/min"),
        ],
        {"heart_rate": [81, 82], "peep": [8], "fio2": [40], "respiratory_rate": [22]},
        {},
    ),
    "synthea": (
        [
            valued("38483-4", 1.2, "mg/dL"),
            valued("6299-2", 14, "mg/dL"),
            valued("20565-8", 24, "mmol/L"),
            valued("8331-1", 37.2, "Cel"),
            valued("59032-3", 18.02, "mg/dL"),
        ],
        {"creatinine": [1.2], "urea_nitrogen": [14], "bicarbonate": [24], "body_temperature": [37.2], "lactate": [2.0]},
        {},
    ),
    "oid": ([valued(concept("urn:oid:2.16.840.1.113883.6.1|8867-4"), 83, "/min")], {"heart_rate": [83]}, {}),
}


def resources() -> list[Resource]:
    found: list[Resource] = []
    for name, (observations, _, _) in WARD.items():
        who = {"subject": {"reference": f"Patient/{name}"}}
        found += [
            {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1960-05-05"},
            {
                "resourceType": "Encounter",
                "id": f"e-{name}",
                "status": "in-progress",
                "class": {"code": "ACUTE"},
                "period": {"start": "2026-03-09T03:00:00Z"},
                **who,
            },
        ]
        for number, content in enumerate(observations):
            plain = {"id": f"{name}-{number}", "status": "final", "effectiveDateTime": f"2026-03-10T04:0{number}:00Z"}
            found.append({"resourceType": "Observation", **plain, **who, **content})
    return found


def by_all_readers(folder: Path, sepsis: Condition, settings: Settings) -> dict[str, Read]:
    with running_server(data=folder) as server:
        source = FhirEndpoint(server.base_url)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
    return {**made, "folder": by_folder(FhirFolderSource(folder), sepsis, AS_OF)}


@pytest.fixture(scope="module")
def read(sepsis: Condition, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    folder = tmp_path_factory.mktemp("meaning")
    (folder / "all.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in resources()))
    return by_all_readers(folder, sepsis, settings)


@pytest.mark.parametrize("way", ["export", "folder"])
def test_search_and_the_other_readers_agree(way: str, read: dict[str, Read]) -> None:
    assert_same(read["search"], read[way])


@pytest.mark.parametrize("name", WARD)
@pytest.mark.parametrize("way", ["search", "export", "folder"])
def test_what_counts_is_what_the_patient_has(way: str, name: str, read: dict[str, Read]) -> None:
    _, values, reasons = WARD[name]
    events = read[way].events
    mine = events[events["patient_id"] == name]
    found = {variable: list(values) for variable, values in mine.groupby("variable")["value"]}
    assert found == {variable: pytest.approx(some) for variable, some in values.items()}
    aside: Counter[str] = Counter()
    for (source_ref, _, reason), count in read[way].set_aside.items():
        aside[reason] += count if source_ref.startswith(f"Observation/{name}-") else 0
    assert +aside == Counter(reasons)


# The shared cases: the values that count beside the usual ones of `<case>-b-…`, and why readings are set aside.
FOREIGN = {
    "s01": ({"systolic_pressure": [121], "diastolic_pressure": [71], "mean_pressure": [88]}, set()),
    "s02": ({"systolic_pressure": [141], "diastolic_pressure": [81]}, set()),
    "s10": ({}, {"focus"}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_the_shared_cases_give_the_right_values(
    name: str, shared_case: Callable[[str], Path], sepsis: Condition, settings: Settings
) -> None:
    values, reasons = FOREIGN[name]
    for way, made in by_all_readers(shared_case(name), sepsis, settings).items():
        usual = made.events["source_ref"].str.startswith(f"Observation/{name}-b-")
        found = {variable: list(some) for variable, some in made.events[~usual].groupby("variable")["value"]}
        assert found == values, way
        assert {reason for _, _, reason in made.set_aside} == reasons, way
