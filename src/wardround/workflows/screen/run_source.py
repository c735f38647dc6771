"""Where a run's stays and readings come from: a server that is asked by searches, or its export.

These functions see patient values; they never log.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from wardround.core.microseconds import UNKNOWN, micros
from wardround.core.progress import Progress
from wardround.core.readings import Readings
from wardround.core.stays import FoundStays
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir import cohorts, observations, stays
from wardround.spec.cohorts import Encounters
from wardround.workflows.screen.exported import Exported
from wardround.workflows.screen.run import Run


class RunSource(Protocol):
    """What the steps ask, whichever way the answers come. Raises FhirError."""

    def find_stays(self, encounters: Encounters, patients: Sequence[str] | None) -> FoundStays:
        """The stays, by the rule of `encounters`, that overlap the run's look-back: of these patients, or of all."""

    def keep_readings(self, screened: pd.DataFrame) -> None:
        """Keeps what the chunks will read, where it is not there for long (`screened`: STAY_COLUMNS and chunk)."""

    def readings(self, screened: pd.DataFrame) -> Readings:
        """What is known of the patients of these stays of one chunk, from the longest window to as_of."""


class Searched:
    """A server that answers searches."""

    def __init__(self, opened: Run, client: FhirClient) -> None:
        self._opened = opened
        self._client = client

    def find_stays(self, encounters: Encounters, patients: Sequence[str] | None) -> FoundStays:
        start, as_of = self._opened.look_back_start, self._opened.as_of
        if patients is None:
            return stays.find(self._client, encounters, start, as_of)
        return cohorts.find_for_patients(self._client, patients, encounters, start, as_of)

    def keep_readings(self, screened: pd.DataFrame) -> None:
        """Nothing: they are searched for when a chunk asks."""

    def readings(self, screened: pd.DataFrame) -> Readings:
        """Also what is about somebody else, which is set aside."""
        condition, as_of = self._opened.condition, self._opened.as_of
        patients, start = sorted(screened["patient_id"].unique()), as_of - condition.longest_window
        found = observations.fetch(self._client, patients, condition.variables, start, as_of)
        # A server finds by more than the time that counts: a period that began long ago and goes on, or a whole minute.
        time = found.time
        return found.take(np.flatnonzero((time == UNKNOWN) | ((time >= micros(start)) & (time <= micros(as_of)))))


def run_source(opened: Run, client: FhirClient, settings: Settings, progress: Progress = lambda *_: None) -> RunSource:
    """The source of a run, as its cohort says."""
    if opened.cohort_source.kind == "export":
        return Exported(opened, client, settings, progress)
    return Searched(opened, client)
