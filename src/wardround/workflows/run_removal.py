"""Finds the runs that know a patient, and removes runs with everything that they read, scored and reported.

These functions see patients' ids; they never log.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_overview import RunName
from wardround.settings import Settings

# The files with the patients whose stays were found, and those whom a cohort named but who had no stay.
_NAMING: Final = (run_files.STAYS, run_files.COHORT)


def runs_of_patient(names: Iterable[RunName], patient_id: str, settings: Settings) -> Iterator[RunName]:
    """Yields the runs that found a stay of the patient or were asked for the patient; screenings and trainings.

    One column of each is read. A run that stopped before finding its stays still has the patients it was asked for.
    """
    return (name for name in names if _knows(RunFolder.of(settings.runs, str(name)), patient_id))


def _knows(folder: RunFolder, patient_id: str) -> bool:
    if folder.exists(run_files.PATIENTS) and patient_id in folder.read_json(run_files.PATIENTS):
        return True
    frames = (folder.read_frame(name, ["patient_id"]) for name in _NAMING if folder.exists(name))
    return any(patient_id in set(frame["patient_id"]) for frame in frames)


def remove_runs(names: Iterable[RunName], settings: Settings) -> int:
    """Removes the runs' folders and returns how many. What they wrote to a FHIR server stays there."""
    removed = 0
    for name in names:
        RunFolder.of(settings.runs, str(name)).clear()
        removed += 1
    return removed
