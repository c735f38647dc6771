"""Converts MIMIC-IV CSVs to MIMIC-IV-on-FHIR NDJSON, with the recorded times or as a census around one time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from wardround.adapters.files.scratch import scratch_folder
from wardround.core.progress import Say
from wardround.demo.census_shift import place
from wardround.demo.mimic_fhir import observations
from wardround.demo.mimic_fhir.condition import condition
from wardround.demo.mimic_fhir.encounter import hospital_encounter, icu_encounter
from wardround.demo.mimic_fhir.location import location, organization
from wardround.demo.mimic_fhir.ndjson import write_ndjson
from wardround.demo.mimic_fhir.observation import chart_observation, lab_observation
from wardround.demo.mimic_fhir.patient import patient
from wardround.demo.mimic_fhir.shapes import Resource
from wardround.demo.mimic_fhir.tables import Tables
from wardround.demo.mimic_fhir.timeline import Timeline, keep_all, keep_present, shift_each
from wardround.sources.mimic import ids
from wardround.sources.mimic.eastern import utc_micros, utc_times
from wardround.sources.mimic.files import MimicFiles, connect, reading
from wardround.spec.variables import Variable


@dataclass(frozen=True)
class Selection:
    """Which rows of the CSVs are written, and with which times.

    Attributes:
        variables: only items that one of these uses become Observations; None: all items.
        rebase_to: shift every patient so that this time falls into or shortly after a stay, and leave out what was
            not known then.
        present_since: only patients with an ICU stay that is open or ended at or after this time.
    """

    variables: Mapping[str, Variable] | None
    rebase_to: pd.Timestamp | None = None
    present_since: pd.Timestamp | None = None


@dataclass(frozen=True)
class Written:
    """Numbers of resources per file, and of patients left out of a census because they have no completed stay."""

    counts: dict[str, int]
    left_out: int


def mimic2fhir(mimic: Path, out: Path, selection: Selection, say: Say) -> Written:
    """Writes out/Mimic*.ndjson.gz and returns the counts. Raises SourceDataError for missing or broken CSVs.

    A file appears only when it is complete; `say` is called with its name before it is started.
    """
    counts = {}
    with scratch_folder() as scratch, connect(scratch, threads=1) as database:
        # DuckDB does not know how long a CSV is: by default it may hold chartevents in memory and stream patients.
        # So joins keep the order in which they are written, with the large table, which is streamed, on the left.
        database.execute("SET GLOBAL disabled_optimizers = 'join_order,build_side_probe_side'")
        files = MimicFiles(mimic)
        timeline, left_out = _timeline(database, files, selection)
        tables = Tables(database, files, timeline)
        for name, resources in _resources(tables, selection):
            say(name)
            counts[name] = write_ndjson(out / f"{name}.ndjson.gz", resources)
    return Written(counts, left_out)


def _resources(tables: Tables, selection: Selection) -> Iterator[tuple[str, Iterable[Resource]]]:
    """Yields file names with their resources; a resource comes after those that it refers to."""
    chart = lab = None
    if selection.variables is not None:
        chart = observations.items_of(selection.variables, "chartevents")
        lab = observations.items_of(selection.variables, "labevents")
    yield "MimicOrganization", [organization()]
    yield "MimicLocation", map(location, tables.careunits())
    yield "MimicPatient", map(patient, tables.patients())
    yield "MimicEncounter", (hospital_encounter(*row) for row in tables.admissions())
    yield "MimicEncounterICU", (icu_encounter(*row) for row in tables.icu_stays())
    yield "MimicCondition", map(condition, tables.diagnoses())
    yield "MimicObservationLabevents", map(lab_observation, observations.lab_rows(tables, lab))
    yield "MimicObservationChartevents", map(chart_observation, observations.chart_rows(tables, chart))


def _timeline(database: duckdb.DuckDBPyConnection, files: MimicFiles, selection: Selection) -> tuple[Timeline, int]:
    if selection.rebase_to is not None:
        return _census(database, files, selection.rebase_to)
    if selection.present_since is not None:
        return keep_present(database, files, selection.present_since), 0
    return keep_all(database, files), 0


def _census(database: duckdb.DuckDBPyConnection, files: MimicFiles, now: pd.Timestamp) -> tuple[Timeline, int]:
    with reading(files.path("icustays")):
        stays = database.execute(
            f"SELECT subject_id, stay_id, {utc_micros('intime')} AS intime, {utc_micros('outtime')} AS outtime"
            f" FROM {files.scan('icustays', ['subject_id', 'stay_id', 'intime', 'outtime'])}"
        ).df()
    stays = stays.assign(
        patient_id=stays["subject_id"].map(ids.patient_id),
        stay_id=stays["stay_id"].map(ids.stay_id),
        intime=utc_times(stays["intime"]),
        outtime=utc_times(stays["outtime"]),
    )
    placed = place(stays, now).merge(stays[["patient_id", "subject_id"]].drop_duplicates(), on="patient_id")
    patients = database.execute(
        f"SELECT count(DISTINCT subject_id) FROM {files.scan('patients', ['subject_id'])}"
    ).fetchall()
    return shift_each(database, placed, now), patients[0][0] - len(placed)
