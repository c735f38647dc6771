"""Uses a Bulk Data export as a run's source: made once, read once for the stays and once for the readings.

These functions see patient values; they never log.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import pandas as pd

from wardround.core import run_files
from wardround.core.events import empty_readings
from wardround.core.progress import Progress
from wardround.core.readings import Readings
from wardround.core.stays import FoundStays, index_as_of
from wardround.features.windows import within_reach
from wardround.fhir import bulk_export
from wardround.fhir.bulk_export import ExportOrder
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir.cohorts import only_of
from wardround.sources.fhir.encounter_search import begin, complete
from wardround.sources.fhir.unmapped import Unmapped
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_variables
from wardround.workflows.screen.run import Run

TYPES: Final = ("Patient", "Encounter", "Location", "Observation")
_PATIENTS_AT_ONCE: Final = 200  # how many patients' readings are in memory together


class Exported:
    """Implements `RunSource` with an export."""

    def __init__(self, opened: Run, client: FhirClient, settings: Settings, progress: Progress) -> None:
        self._opened = opened
        self._client = client
        self._settings = settings
        self._progress = progress

    def find_stays(self, encounters: Encounters, patients: Sequence[str] | None) -> FoundStays:
        """Returns the stays. Makes the export first, or continues one that was begun.

        An export of a Group or of recent changes may lack Locations and Patients; they are requested from the server.
        """
        opened, client, wanted = self._opened, self._client, self._opened.cohort_source
        since = opened.as_of - wanted.since if wanted.since else None
        order = ExportOrder(TYPES, wanted.id, since, wanted.deadline)
        bulk_export.export(client, order, opened.folder, self._progress)
        records, rule = begin(client, encounters)
        if opened.folder.list(run_files.EXPORT):
            self._files().fill(records)
        found = complete(records, client, rule, opened.look_back_start, opened.as_of)
        return found if patients is None else only_of(patients, found)

    def keep_readings(self, screened: pd.DataFrame) -> None:
        """Puts the readings of the stays' patients into files of their chunks, in one pass, and removes the export.

        Counts the codes of their Observations that none of the installation's variables names (unmapped.json), and
        drafts a source map (source-map.draft.yaml).

        The run has no use for the rest of the export, and its folder is not a place to keep a hospital's data.
        """
        folder = self._opened.folder
        for name in folder.list():
            if run_files.holds_readings(name):  # of an earlier attempt, whose chunks may have been cut differently
                folder.remove(name)
        if folder.list(run_files.EXPORT):
            unmapped = Unmapped(load_variables(self._settings.schemas), self._opened.translation)
            self._by_chunk(screened, unmapped)
            folder.write_json(run_files.UNMAPPED, [asdict(code) for code in unmapped.codes.most_frequent()])
            folder.write_text(run_files.SOURCE_MAP_DRAFT, unmapped.draft)
        # The state goes first: a run killed here exports again and does not take missing files for an empty ward.
        folder.remove(run_files.EXPORT_STATE)
        folder.clear(run_files.EXPORT)

    def readings(self, screened: pd.DataFrame) -> Readings:
        """Returns the readings in the chunk's files."""
        folder, chunk = self._opened.folder, int(screened["chunk"].iloc[0])
        names = folder.list(run_files.folder_of_chunk(chunk))
        frames = [folder.read_frame(name) for name in names if run_files.holds_readings(name)]
        if not frames:
            return Readings.of_frame(empty_readings())
        found = pd.concat(frames, ignore_index=True)
        mine = Readings.of_frame(found[found["patient_id"].isin(screened["patient_id"])].reset_index(drop=True))
        return within_reach(mine, self._opened.condition.reach, self._opened.as_of)

    def _by_chunk(self, screened: pd.DataFrame, unmapped: Unmapped) -> None:
        opened, files = self._opened, self._files(unmapped)
        index, condition = index_as_of(screened, opened.as_of), opened.condition
        parts = files.readings(index, condition.variables, condition.longest_window)
        for number, (some, readings) in enumerate(parts):
            for chunk, stays in screened[screened["stay_id"].isin(some["stay_id"])].groupby("chunk"):
                mine = readings[readings["patient_id"].isin(stays["patient_id"])]
                if len(mine):
                    opened.folder.write_frame(run_files.readings(int(str(chunk)), number), mine)
        opened.folder.write_json(run_files.OUTSIDE, dict(sorted(files.outside.items())))

    def _files(self, unmapped: Unmapped | None = None) -> FhirFolderSource:
        return FhirFolderSource(
            f"{self._opened.folder.url}/{run_files.EXPORT}",
            bases=self._client.source.bases,
            translation=self._opened.translation,
            unmapped=unmapped,
            patients_at_once=_PATIENTS_AT_ONCE,
            by_type=True,
        )
