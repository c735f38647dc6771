"""The MIMIC demo's 140 ICU stays and 275 admissions: the same features from CSVs, search, folder and export."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.events import UTC
from wardround.core.stays import index_after
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.bulk_export import ExportOrder, export
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir.server import FhirServerSource
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic.folder import MimicFolder
from wardround.sources.mimic.ids import encounter_id
from wardround.spec.cohorts import Encounters
from wardround.spec.conditions import CLOCKS, Condition
from wardround.spec.loading import load_condition
from wardround.workflows.features import Source, features_of
from wardround.workflows.screen.exported import TYPES

pytestmark = [pytest.mark.mimic, pytest.mark.long]

WAYS = ("search", "folder", "export")
ICU = Encounters(classes=("ACUTE",))
DAY = timedelta(hours=24)


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


@pytest.fixture(scope="module")
def demo(mimic_demo: Path, sepsis: Condition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as mimic2fhir writes it."""
    folder = tmp_path_factory.mktemp("fhir")
    mimic2fhir(mimic_demo, folder, Selection(sepsis.variables), lambda _: None)
    return folder


@contextmanager
def source_of(way: str, demo: Path, encounters: Encounters, tmp_path: Path) -> Iterator[Source]:
    """The demo as one of the sources of a screening."""
    if way == "folder":
        yield FhirFolderSource(demo, encounters)
        return
    with running_server(demo) as server, FhirClient(FhirEndpoint(server.base_url)) as client:
        if way == "search":
            yield FhirServerSource(client, encounters)
            return
        run = RunFolder(str(tmp_path))
        export(client, ExportOrder(TYPES, None, None, timedelta(minutes=10)), run, lambda *_: None)
        yield FhirFolderSource(f"{run.url}/{run_files.EXPORT}", encounters, client.source.bases)


@pytest.fixture(scope="module")
def in_any_unit(mimic_demo: Path) -> Encounters:
    """Makes each admission a stay, for its time in units, and its Encounter that of the hospital stay."""
    units = pd.read_csv(next(mimic_demo.glob("hosp/transfers.csv*")))["careunit"].dropna().unique()
    return Encounters(locations=tuple(units))


@pytest.fixture(scope="module")
def of_stays(mimic_demo: Path, sepsis: Condition) -> pd.DataFrame:
    """The features of the 140 stays from the CSVs, a day after they began."""
    csv = MimicFolder(mimic_demo)
    return features_of(csv, index_after(csv.find_stays().stays, DAY), sepsis)[0]


@pytest.fixture(scope="module")
def of_admissions(mimic_demo: Path, sepsis: Condition) -> pd.DataFrame:
    """The features of the 275 admissions from the CSVs, a day after they began. Their begins are read here."""
    admissions = pd.read_csv(next(mimic_demo.glob("hosp/admissions.csv*")))
    transfers = pd.read_csv(next(mimic_demo.glob("hosp/transfers.csv*")))
    first = transfers[transfers["careunit"].notna()].groupby("hadm_id")["intime"].min()
    csv = MimicFolder(mimic_demo)
    people = csv.stays().drop_duplicates("subject_id").set_index("subject_id")
    begun = utc(admissions["admittime"])
    index = pd.DataFrame(
        {
            "stay_id": admissions["hadm_id"].map(encounter_id),
            "as_of": begun + DAY,
            "hospital_begin": begun,
            "unit_begin": utc(admissions["hadm_id"].map(first)),
            **{name: admissions["subject_id"].map(people[name]) for name in ("patient_id", "birth_date", "sex")},
        }
    )
    return features_of(csv, index, sepsis)[0]


def utc(local: pd.Series) -> pd.Series:
    return pd.to_datetime(local).dt.tz_localize("US/Eastern").dt.tz_convert("UTC").astype(UTC)


@pytest.mark.parametrize("way", WAYS)
def test_the_140_stays_have_the_features_of_the_csvs(
    way: str, demo: Path, of_stays: pd.DataFrame, sepsis: Condition, tmp_path: Path
) -> None:
    assert len(of_stays) == 140
    assert of_stays[list(CLOCKS)].notna().all().all()
    with source_of(way, demo, ICU, tmp_path) as source:
        found, _ = features_of(source, index_after(source.find_stays().stays, DAY), sepsis)
    pd.testing.assert_frame_equal(found, of_stays, rtol=0, atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_the_275_admissions_have_the_features_of_the_csvs(
    way: str, demo: Path, of_admissions: pd.DataFrame, in_any_unit: Encounters, sepsis: Condition, tmp_path: Path
) -> None:
    assert len(of_admissions) == 275
    assert (of_admissions["hours_in_hospital"] == 24).all()
    # Before some were in a unit, a day had passed.
    assert of_admissions["hours_in_unit"].notna().sum() > 270
    with source_of(way, demo, in_any_unit, tmp_path) as source:
        stays = source.find_stays().stays
        admissions = stays[stays["stay_id"].isin(of_admissions["stay_id"])]
        index = index_after(admissions.assign(intime=admissions["hospital_begin"]), DAY)
        found, _ = features_of(source, index, sepsis)
    pd.testing.assert_frame_equal(found, of_admissions, rtol=0, atol=1e-9)
