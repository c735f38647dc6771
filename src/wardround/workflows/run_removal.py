"""Runs in, those that know a patient out; and runs removed, with all that they read, scored and reported.

It sees patients' ids, and never logs.
"""

from collections.abc import Iterable, Iterator

from wardround.adapters.run_folder import RunFolder
from wardround.core.run_overview import RunName
from wardround.settings import Settings

_STAYS = "stays.parquet"


def runs_of_patient(names: Iterable[RunName], patient_id: str, settings: Settings) -> Iterator[RunName]:
    """Those of the runs that found a stay of the patient, screenings and trainings; one column of each is read.

    A run that was stopped before it had found its stays holds nobody yet.
    """
    for name in names:
        folder = RunFolder.of(settings.runs, str(name))
        if folder.exists(_STAYS) and patient_id in set(folder.read_frame(_STAYS, ["patient_id"])["patient_id"]):
            yield name


def remove_runs(names: Iterable[RunName], settings: Settings) -> int:
    """Removes the runs' folders; gives how many. What they wrote to a FHIR server stays there."""
    removed = 0
    for name in names:
        RunFolder.of(settings.runs, str(name)).clear()
        removed += 1
    return removed
