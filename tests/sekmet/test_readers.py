"""Search, export and folder against a FHIR server that others wrote: the embedded one's searches are our own code."""

from dataclasses import replace

import pandas as pd
import pytest
import requests
from tests.readers.three import SCREENED, Read, assert_same, by_folder, by_screening
from tests.synthea.hospital import NOW, hospital_information, population, write_ndjson

from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import settings_from
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_condition

pytestmark = pytest.mark.slow

PATIENTS = 24
ICU_CLASSES = ("IMP",)
KEPT = frozenset({"Patient", "Encounter", "Observation"})


@pytest.fixture
def source(sekmet_server: str) -> FhirEndpoint:
    """The server, which was posted patients in Synthea's shapes and gave them ids of its own."""
    with requests.Session() as session:
        for bundle in (hospital_information(), *(one.transaction(KEPT) for one in population(PATIENTS))):
            answer = session.post(sekmet_server, json=bundle, timeout=60)
            assert answer.status_code == 200, answer.text[:500]
    return FhirEndpoint(sekmet_server, icu_classes=ICU_CLASSES)


def own_ids(source: FhirEndpoint) -> dict[str, str]:
    """The server's id of each Encounter -> that which Synthea gave it."""
    page = requests.get(f"{source.base_url}/Encounter?_count=1000", timeout=60).json()
    assert not [link for link in page["link"] if link["relation"] == "next"]
    return {one["resource"]["id"]: one["resource"]["identifier"][0]["value"] for one in page["entry"]}


def test_an_independent_server_is_read_as_a_folder_is_by_search_and_by_export(
    source, schemas, trained_models, tmp_path
) -> None:
    sepsis = load_condition("sepsis", schemas)
    settings = replace(settings_from(), runs=str(tmp_path / "runs"), var=tmp_path, models=trained_models)
    search, export = (by_screening(way, source, sepsis, NOW, settings) for way in ("search", "export"))
    write_ndjson(population(PATIENTS), tmp_path / "ndjson")
    folder: Read = by_folder(FhirFolderSource(tmp_path / "ndjson", Encounters(classes=ICU_CLASSES)), sepsis, NOW)
    assert_same(search, export)
    ids = own_ids(source)
    assert {ids[stay]: what for stay, what in search.account.items()} == folder.account
    theirs = search.features.assign(stay_id=search.features["stay_id"].map(ids)).sort_values("stay_id")
    pd.testing.assert_frame_equal(folder.features, theirs.reset_index(drop=True), rtol=0, atol=1e-9, check_dtype=False)
    assert list(search.account.values()).count(SCREENED) >= PATIENTS * 2 // 3
