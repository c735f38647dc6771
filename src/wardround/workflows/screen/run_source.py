"""Defines the source of a run's stays and readings: searches on a server, or its Bulk Data export.

These functions see patient values; they never log.
"""

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from wardround.core.progress import Progress
from wardround.core.readings import Readings
from wardround.core.stays import FoundStays
from wardround.features.windows import within_reach
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir import cohorts, observations, stays
from wardround.spec.cohorts import Encounters
from wardround.workflows.screen.exported import Exported
from wardround.workflows.screen.run import Run


class RunSource(Protocol):
    """What the steps of a run need from a source. Raises FhirError."""

    def find_stays(self, encounters: Encounters, patients: Sequence[str] | None) -> FoundStays:
        """Returns the stays, by the rule of `encounters`, that overlap the look-back: of these patients, or of all."""

    def keep_readings(self, screened: pd.DataFrame) -> None:
        """Keeps the readings that the chunks will need, if they are not available later.

        `screened` has STAY_COLUMNS and chunk.
        """

    def readings(self, screened: pd.DataFrame) -> Readings:
        """Returns the readings of these stays' patients, of one chunk, each variable as far back as it is needed."""


class _Searched:
    """A source that is searched."""

    def __init__(self, opened: Run, client: FhirClient) -> None:
        self._opened = opened
        self._client = client

    def find_stays(self, encounters: Encounters, patients: Sequence[str] | None) -> FoundStays:
        start, as_of = self._opened.look_back_start, self._opened.as_of
        if patients is None:
            return stays.find(self._client, encounters, start, as_of)
        return cohorts.find_for_patients(self._client, patients, encounters, start, as_of)

    def keep_readings(self, screened: pd.DataFrame) -> None:
        """Does nothing, because a chunk searches for its own readings."""

    def readings(self, screened: pd.DataFrame) -> Readings:
        """May include readings of patients who were not asked for; they are set aside later."""
        condition, as_of = self._opened.condition, self._opened.as_of
        patients, reach = sorted(screened["patient_id"].unique()), condition.reach
        starts = {name: as_of - window for name, window in reach.items()}
        found = observations.fetch(self._client, patients, condition.variables, starts, as_of)
        # A server finds more than the time that counts: a period that began long ago and continues, or a whole minute.
        return within_reach(found, reach, as_of)


def run_source(opened: Run, client: FhirClient, settings: Settings, progress: Progress = lambda *_: None) -> RunSource:
    """Returns the source that the run's cohort asks for."""
    if opened.cohort_source.kind == "export":
        return Exported(opened, client, settings, progress)
    return _Searched(opened, client)
