"""Tests the ids of MIMIC-IV on FHIR."""

import gzip
import json
from pathlib import Path

import pytest

from wardround.sources.mimic import ids


def test_a_patient_has_the_id_of_the_official_files() -> None:
    assert ids.patient_id(10007795) == "28dcf33b-0c52-587f-83ad-2a3270976719"


def test_a_stay_has_the_id_of_the_official_icu_encounter() -> None:
    assert ids.stay_id(31269608) == "aa9dc967-aece-541b-89d6-b0cedcd43d64"


def test_a_missing_text_is_left_out_of_a_chartevents_name() -> None:
    assert ids.chartevent_name(3, "2180-07-23 12:36:00", 220045, None) == "3-2180-07-23 12:36:00-220045"


@pytest.mark.mimic
@pytest.mark.parametrize(
    ("file", "rule"),
    [("MimicPatient", ids.patient_id), ("MimicEncounter", ids.encounter_id), ("MimicEncounterICU", ids.stay_id)],
)
def test_all_official_ids_follow_the_rule(mimic_demo: Path, file: str, rule) -> None:  # type: ignore[no-untyped-def]
    path = mimic_demo.parent / "mimic-iv-fhir-demo-2.1.0" / "fhir" / f"{file}.ndjson.gz"
    with gzip.open(path) as lines:
        resources = [json.loads(line) for line in lines]
    assert resources
    assert all(rule(int(r["identifier"][0]["value"])) == r["id"] for r in resources)
