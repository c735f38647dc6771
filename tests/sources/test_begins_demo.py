"""When stays began: the same from MIMIC's CSVs, a folder and a server, for the demo's stays and a simulated ward's."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.core.stays import index_after
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir.server import FhirServerSource
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic.folder import MimicFolder
from wardround.sources.mimic.ids import encounter_id
from wardround.spec.cohorts import Encounters
from wardround.spec.conditions import CLOCKS, Condition
from wardround.spec.loading import load_condition
from wardround.workflows.features import Source, build_table


@pytest.fixture(scope="module")
def timed(schemas: Path) -> Condition:
    """A condition of the time since the stay began, and one variable."""
    sepsis = load_condition("sepsis", schemas)
    group = sepsis.features.groups[0].model_copy(update={"variables": ("heart_rate",), "summaries": ("last",)})
    features = sepsis.features.model_copy(update={"demographics": CLOCKS, "groups": (group,)})
    minimum = sepsis.minimum_data.model_copy(update={"at_least": 1, "of": ("heart_rate",)})
    variables = {"heart_rate": sepsis.variables["heart_rate"]}
    return sepsis.model_copy(update={"features": features, "minimum_data": minimum, "variables": variables})


@pytest.fixture(scope="module")
def demo(mimic_demo: Path, schemas: Path, timed: Condition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as mimic2fhir writes it."""
    folder = tmp_path_factory.mktemp("fhir")
    mimic2fhir(mimic_demo, folder, Selection(timed.variables), lambda _: None)
    return folder


def of_server(folder: Path) -> Iterator[Source]:
    with running_server(folder) as server, FhirClient(FhirEndpoint(server.base_url)) as client:
        yield FhirServerSource(client, client.source.icu)


def hours_of(source: Source, condition: Condition, moment: object) -> pd.DataFrame:
    return build_table(source, condition, moment).features.set_index("stay_id")[list(CLOCKS)]


@pytest.mark.mimic
def test_the_demos_140_stays_have_the_hours_of_the_csvs_from_folder_and_server(
    mimic_demo: Path, demo: Path, timed: Condition
) -> None:
    csv = MimicFolder(mimic_demo)
    stays, day = csv.stays().set_index("stay_id"), timedelta(hours=24)
    expected = (stays["intime"] + day - stays["admittime"]) / pd.Timedelta(hours=1)
    hours = hours_of(csv, timed, day)
    assert len(hours) == 140
    assert (hours["hours_in_unit"] == 24).all()
    assert np.abs(hours["hours_in_hospital"] - expected).max() <= 1e-9
    for source in chain([FhirFolderSource(demo)], of_server(demo)):
        pd.testing.assert_frame_equal(hours_of(source, timed, day), hours, rtol=0, atol=1e-9)


@pytest.mark.mimic
def test_each_of_the_275_admissions_begins_alike_in_all_forms_of_the_demo(mimic_demo: Path, demo: Path) -> None:
    admissions = pd.read_csv(next(mimic_demo.glob("hosp/admissions.csv*")))
    local = pd.to_datetime(admissions["admittime"]).dt.tz_localize("US/Eastern")
    expected = dict(zip(map(encounter_id, admissions["hadm_id"]), local, strict=True))
    assert len(expected) == 275
    # By the classes of admissions, so that an admission counts as a stay.
    admitted = Encounters(classes=("AMB", "EMER", "OBSENC", "SS", "IMP"))
    official = mimic_demo.parent / "mimic-iv-fhir-demo-2.1.0" / "fhir"
    for folder in (demo, official):
        stays = FhirFolderSource(folder, admitted).find_stays().stays.set_index("stay_id")
        assert {key: stays["unit_begin"][key] for key in expected} == expected
        of_unit = FhirFolderSource(folder).find_stays().stays
        assert len(of_unit) == 140
        assert (of_unit["hospital_unknown"] == "").all()
        assert (of_unit["hospital_begin"] == of_unit["part_of"].map(expected)).all()


def test_a_simulated_ward_has_the_hours_of_the_csvs_from_folder_and_server(
    simulated_ward: SimulatedWard, timed: Condition
) -> None:
    csv = hours_of(MimicFolder(simulated_ward.mimic), timed, simulated_ward.now)
    assert len(csv) > 5
    assert csv.notna().all().all()
    assert (csv["hours_in_hospital"] > csv["hours_in_unit"]).all()
    for source in chain([FhirFolderSource(simulated_ward.fhir)], of_server(simulated_ward.fhir)):
        pd.testing.assert_frame_equal(hours_of(source, timed, simulated_ward.now), csv, rtol=0, atol=1e-9)


def test_the_index_of_a_stay_has_its_begins(simulated_ward: SimulatedWard) -> None:
    stays = MimicFolder(simulated_ward.mimic).find_stays().stays
    index = index_after(stays, timedelta(hours=6))
    assert (index["unit_begin"] == index["as_of"] - pd.Timedelta(hours=6)).all()
    assert (index["hospital_begin"] == stays["admittime"]).all()
