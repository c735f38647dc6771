"""Reads a MIMIC-IV folder as a source: stays, readings and what labels need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pandas as pd

from wardround.adapters.files.scratch import scratch_folder
from wardround.core.events import frame_of
from wardround.core.progress import Say
from wardround.core.stays import EXCLUDED_COLUMNS, FoundStays
from wardround.features.windows import windows
from wardround.sources.mimic import readings, stays
from wardround.sources.mimic.files import MEMORY, MimicFiles
from wardround.sources.mimic.sepsis3 import Sepsis3Part, read_sepsis3
from wardround.spec.variables import Variable

NO_ADMISSION_TIME: Final = "no_admission_time"


@dataclass(frozen=True)
class MimicFolder:
    """A folder of MIMIC-IV CSVs, with hosp/ and icu/. All methods raise SourceDataError for a file they cannot use.

    `patients_at_once` limits the memory of `readings`, `stays_at_once` that of `sepsis3`, and `memory` that of DuckDB
    in both (`512MB`, `4GB`), which writes the rest to temporary files.
    """

    path: Path
    patients_at_once: int = 1000
    stays_at_once: int = 1000
    memory: str = MEMORY

    @property
    def outside(self) -> Mapping[str, int]:
        """Always empty: rows outside the windows are skipped in the scan of their file, and are not counted."""
        return {}

    def stays(self) -> pd.DataFrame:
        """Returns all ICU stays, sorted by stay_id: STAY_COLUMNS and `stays.HOSPITAL_COLUMNS`, which labels need."""
        return stays.read_stays(self._files)

    def find_stays(self, *, as_of: datetime | None = None) -> FoundStays:
        """Returns all ICU stays; with as_of, those that had begun by then. Stays without an intime are set aside."""
        stays = self.stays()
        untimed = stays["intime"].isna()
        found = stays[~untimed & (stays["intime"] <= pd.Timestamp(as_of))] if as_of else stays[~untimed]
        # Here, birth dates are exact to the day, and no row spans a whole stay or refers to another record.
        known = found.assign(born_from=found["birth_date"], born_by=found["birth_date"])
        hospital_unknown = known["hospital_begin"].isna().map({True: NO_ADMISSION_TIME, False: ""})
        whole = known.assign(barred="", hospital_unknown=hospital_unknown, part_of="", succeeded_by="")
        return FoundStays(whole, frame_of(EXCLUDED_COLUMNS, stays[untimed].assign(reason=NO_ADMISSION_TIME)))

    def diagnoses(self) -> pd.DataFrame:
        """Returns the ICD codes, without dots, of hospital stays with an ICU stay: hadm_id, icd_code, icd_version."""
        return stays.read_diagnoses(self._files)

    def sepsis3(self) -> pd.DataFrame:
        """Returns Sepsis-3 of all ICU stays by each suspicion (sepsis3.SEPSIS3_COLUMNS), sorted by stay_id.

        sepsis3 is NA if SOFA is not known for any hour. All times are NaT unless it is true; sofa_rise_time is NaT also
        for a septic stay whose SOFA did not rise.
        """
        return pd.concat([part.labels for part in self.sepsis3_parts()], ignore_index=True)

    def sepsis3_parts(self, say: Say = lambda _message: None) -> Iterator[Sepsis3Part]:
        """Yields Sepsis-3 and hourly SOFA of all ICU stays, some at a time, in the order of stay_id; at least one part.

        Each table is scanned once and memory does not grow with the number of stays: the relevant rows are kept in
        temporary files between the scan and the first part. `say` is called with the name of each step.
        """
        with scratch_folder() as scratch:
            yield from read_sepsis3(self._files, stays_at_once=self.stays_at_once, scratch=scratch, say=say)

    def readings(
        self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yields the readings in [as_of - window, as_of] of each index row, some patients at a time.

        Each table is scanned once and memory does not grow with the number of stays: the readings in the windows are
        kept in temporary files between the scan and the first result.

        Args:
            index: stay_id, patient_id, as_of.
            variables: the variables to read.
            window: how far before as_of.

        Yields:
            Rows of the index, and the readings (READING_COLUMNS) of their patients. Each row comes once, in any order.
        """
        for patients, found in self.readings_in(windows(index, window), variables):
            yield index[index["patient_id"].isin(patients)], found

    def readings_in(
        self, spans: pd.DataFrame, variables: Mapping[str, Variable]
    ) -> Iterator[tuple[pd.Series, pd.DataFrame]]:
        """Yields the readings in spans of time, some patients at a time and in the order of the spans; see `readings`.

        Args:
            spans: patient_id, start, stop (both ends included); those of a patient do not overlap.
            variables: the variables to read.

        Yields:
            Ids of patients, each once, and the readings (READING_COLUMNS) in their spans.
        """
        with scratch_folder() as scratch:
            yield from readings.read_readings(
                self._files,
                spans,
                variables,
                patients_at_once=self.patients_at_once,
                scratch=scratch,
            )

    @property
    def _files(self) -> MimicFiles:
        return MimicFiles(self.path, self.memory)
