"""Finds the runs that know a patient, and removes runs with everything that they read, scored and reported.

A removal that was interrupted is completed by the next one. Until then nothing that is left looks like a run: its
request is removed first. These functions see patients' ids; they never log.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from wardround.adapters import locks
from wardround.adapters.files.folder import Folder
from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_overview import RunName
from wardround.settings import Settings
from wardround.workflows.run_list import run_names
from wardround.workflows.run_retention import is_in_use

if TYPE_CHECKING:
    from wardround.adapters.database.database import Database

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


def is_worked_on(name: RunName, settings: Settings, now: datetime) -> bool:
    """Returns whether a run has not ended, and something was written to it lately."""
    ended = run_files.VERSION if name.kind == "training" else run_files.SUMMARY
    return not RunFolder.of(settings.runs, str(name)).exists(ended) and is_in_use(name, settings, now)


def remove_runs(
    names: Iterable[RunName], why: str, settings: Settings, now: datetime, stays: Callable[[RunName], bool]
) -> int:
    """Removes the runs' folders and returns how many. What they wrote to a FHIR server stays there.

    Each is accounted for in the database, which is opened first. One removal at a time removes; it first completes
    what an earlier one has left.

    Args:
        why: the rule by which they are removed; it names no patient.
        stays: asked about each run just before it is removed; it is left alone if this is true, because somebody has
            begun to work on it since it was chosen.

    Raises:
        StorageError or DatabaseError: then some may have been removed; the next call does the rest.
    """
    # Listing runs needs no database.
    from wardround.adapters.database.database import opened

    turn = locks.alone(locks.locks_for(settings.runs, settings.database), settings.runs, ["removal"])
    removed = 0
    with turn as require, opened(settings.database) as database:
        for folder in _half_removed(settings):
            _complete(folder, database)
        for name in names:
            folder = RunFolder.of(settings.runs, str(name))
            require()
            if folder.exists(run_files.REQUEST) and not stays(name):
                folder.write_json(run_files.REMOVAL, {"at": now.isoformat(), "why": why})
                _complete(folder, database)
                removed += 1
    return removed


def _half_removed(settings: Settings) -> Iterator[RunFolder]:
    names = [str(name) for name in run_names(settings)]
    begun = Folder(settings.runs).found_of(f"{name}/{run_files.REMOVAL}" for name in names)
    folders = (RunFolder.of(settings.runs, name) for name in names if f"{name}/{run_files.REMOVAL}" in begun)
    return (folder for folder in folders if not folder.exists(run_files.REQUEST))


def _complete(folder: RunFolder, database: "Database") -> None:
    """Removes what is left of a run whose removal has begun, its account of the removal last."""
    from wardround.adapters.database.removed_runs import RemovedRun, account_for

    begun = folder.read_json(run_files.REMOVAL)
    folder.remove(run_files.REQUEST)
    with database.writing() as connection:
        run = folder.url.rpartition("/")[2]
        account_for(connection, RemovedRun(run, datetime.fromisoformat(begun["at"]), begun["why"]))
    folder.clear(keep=(run_files.REMOVAL,))
    folder.clear()
