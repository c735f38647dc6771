"""A Bulk Data export in the run's folder in; its stays, and the readings of each chunk, out.

These functions see patient values; they never log.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import pandas as pd

from wardround.core import run_files
from wardround.core.events import empty_readings
from wardround.core.stays import FoundStays, index_as_of
from wardround.fhir import bulk_export
from wardround.fhir.bulk_export import ExportOrder, Progress
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir.encounter_search import begin, complete
from wardround.sources.fhir.unmapped import Unmapped
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_variables
from wardround.workflows.screen.run import Run

TYPES: Final = ("Patient", "Encounter", "Location", "Observation")
PATIENTS_AT_ONCE: Final = 200  # whose readings are in memory together
"""How many of the patients' exported readings lie in no window, by variable."""


def find_exported(opened: Run, client: FhirClient, encounters: Encounters, progress: Progress) -> FoundStays:
    """The stays of the export that the run's cohort asks for; the export is made first, or gone on with.

    A Group's export, and one of recent changes, may lack Locations and Patients: the server is asked for these.
    """
    wanted = opened.cohort_source
    since = opened.as_of - wanted.since if wanted.since else None
    bulk_export.export(client, ExportOrder(TYPES, wanted.id, since, wanted.deadline), opened.folder, progress)
    records, rule = begin(client, encounters)
    if opened.folder.list(run_files.EXPORT):
        _files(opened, client).fill(records)
    return complete(records, client, rule, opened.look_back_start, opened.as_of)


def keep_readings(opened: Run, client: FhirClient, screened: pd.DataFrame, settings: Settings) -> None:
    """Puts the readings of the stays' patients into files of their chunks, in one pass, and removes the export.

    Of their Observations that none of the installation's variables names it counts the codes (unmapped.json), and
    drafts a source map (source-map.draft.yaml).

    What else the export holds is of no use to the run, and its folder is not the place to keep a hospital.
    """
    for name in opened.folder.list():
        if run_files.holds_readings(name):  # of an earlier attempt, which may have cut other chunks
            opened.folder.remove(name)
    if opened.folder.list(run_files.EXPORT):
        unmapped = Unmapped(load_variables(settings.schemas), opened.translation)
        _keep_readings(opened, client, screened, unmapped)
        opened.folder.write_json(run_files.UNMAPPED, [asdict(code) for code in unmapped.codes.most_frequent()])
        opened.folder.write_text(run_files.SOURCE_MAP_DRAFT, unmapped.draft)
    # The state first: a run that is killed here exports anew, instead of taking no files for an empty ward.
    opened.folder.remove(run_files.EXPORT_STATE)
    opened.folder.clear(run_files.EXPORT)


def exported_readings(opened: Run, chunk: int, patient_ids: Sequence[str]) -> pd.DataFrame:
    """The readings of these patients of a chunk (READING_COLUMNS)."""
    names = opened.folder.list(run_files.folder_of_chunk(chunk))
    frames = [opened.folder.read_frame(name) for name in names if run_files.holds_readings(name)]
    if not frames:
        return empty_readings()
    readings = pd.concat(frames, ignore_index=True)
    return readings[readings["patient_id"].isin(patient_ids)].reset_index(drop=True)


def _keep_readings(opened: Run, client: FhirClient, screened: pd.DataFrame, unmapped: Unmapped) -> None:
    index = index_as_of(screened, opened.as_of)
    condition = opened.condition
    files = _files(opened, client, unmapped)
    parts = files.readings(index, condition.variables, condition.longest_window)
    for number, (some, readings) in enumerate(parts):
        for chunk, stays in screened[screened["stay_id"].isin(some["stay_id"])].groupby("chunk"):
            mine = readings[readings["patient_id"].isin(stays["patient_id"])]
            if len(mine):
                opened.folder.write_frame(run_files.readings(int(str(chunk)), number), mine)
    opened.folder.write_json(run_files.OUTSIDE, dict(sorted(files.outside.items())))


def _files(opened: Run, client: FhirClient, unmapped: Unmapped | None = None) -> FhirFolderSource:
    return FhirFolderSource(
        f"{opened.folder.url}/{run_files.EXPORT}",
        bases=client.source.bases,
        translation=opened.translation,
        unmapped=unmapped,
        patients_at_once=PATIENTS_AT_ONCE,
    )
