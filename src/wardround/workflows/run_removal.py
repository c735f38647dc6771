"""Runs in, those that know a patient out; and runs removed, with all that they read, scored and reported.

It sees patients' ids, and never logs.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_overview import RunName
from wardround.settings import Settings

# Whose stays were found, and whom a cohort named without one.
_NAMING: Final = (run_files.STAYS, run_files.COHORT)


def runs_of_patient(names: Iterable[RunName], patient_id: str, settings: Settings) -> Iterator[RunName]:
    """Those of the runs that found a stay of the patient, or were asked for the patient; screenings and trainings.

    One column of each is read. A run that was stopped before it had found its stays holds whom it was asked for.
    """
    return (name for name in names if _knows(RunFolder.of(settings.runs, str(name)), patient_id))


def _knows(folder: RunFolder, patient_id: str) -> bool:
    if folder.exists(run_files.PATIENTS) and patient_id in folder.read_json(run_files.PATIENTS):
        return True
    frames = (folder.read_frame(name, ["patient_id"]) for name in _NAMING if folder.exists(name))
    return any(patient_id in set(frame["patient_id"]) for frame in frames)


def remove_runs(names: Iterable[RunName], settings: Settings) -> int:
    """Removes the runs' folders; gives how many. What they wrote to a FHIR server stays there."""
    removed = 0
    for name in names:
        RunFolder.of(settings.runs, str(name)).clear()
        removed += 1
    return removed
