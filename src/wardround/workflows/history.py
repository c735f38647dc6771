"""Keeps the history: a run that has ended is written to Wardround's database, and read again from its folder at will.

A database that cannot be used costs no run: what was scored is written and reported. It is not passed over either: the
run's folder says that it is missing, and its last step tries again and fails for it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from wardround.adapters.database.database import Database, opened
from wardround.adapters.database.history import replace_run
from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_summary import RunSummary
from wardround.errors import DatabaseError, RunNotFound, WardroundError, named
from wardround.report.history import RunHistory, history_of
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.workflows.run_inputs import Unknown, keep_unknown, kept_unknown
from wardround.workflows.run_list import overview_of, run_names

_OF_STAYS: Final = ["unit", "outcome", "reason", "score", "band"]

_LOG = logging.getLogger(__name__)

WRITTEN: Final = "written"
NotKept = Literal["unfinished", "patients"]
"""A run that has not ended; one of patients who were asked for by their ids, which is no ward and may be one person."""


@dataclass(frozen=True)
class Rebuilt:
    """What became of each run folder: its run is in the history, or why not."""

    written: int
    unfinished: int
    patients: int
    unreadable: tuple[str, ...]


def keep_history(run: str, settings: Settings) -> None:
    """Writes a run to the history, in the place of what was there of it.

    Where that cannot be done, the run's folder says so, for `require_history`.
    """
    folder = RunFolder.existing(settings.runs, run)
    try:
        # Counted anew: a run that was resumed may have read more.
        history = _history_of(run, folder, keep_unknown(folder), settings)
        if not isinstance(history, str):
            with opened(settings.database) as database, database.writing() as connection:
                replace_run(connection, history)
    except Exception as error:  # noqa: BLE001 - a figure of last month must not cost a ward tonight's report
        why = str(error) if isinstance(error, WardroundError) else named(error)
        folder.write_json(run_files.HISTORY_MISSING, {"why": why})
        _LOG.warning("run %s: is missing in the history: %s", run, why)
    else:
        folder.remove(run_files.HISTORY_MISSING)


def retry_history(run: str, settings: Settings) -> None:
    """Tries again to write a run that the history misses."""
    if RunFolder.existing(settings.runs, run).exists(run_files.HISTORY_MISSING):
        keep_history(run, settings)


def require_history(run: str, settings: Settings) -> None:
    """Raises DatabaseError if the run could not be written to the history."""
    folder = RunFolder.existing(settings.runs, run)
    if folder.exists(run_files.HISTORY_MISSING):
        why = folder.read_json(run_files.HISTORY_MISSING)["why"]
        raise DatabaseError(
            f"run {run}: ended and is reported, and is missing in the history, expected it there ({why}); mend that,"
            " then `wardround history rebuild`"
        )


def rebuild(settings: Settings, progress: Callable[[str, int, int], None]) -> Rebuilt:
    """Writes every run that has a folder to the history anew. Safe to interrupt, and to do while runs go on.

    Runs whose folder is gone stay as they are. Raises SettingsError, StorageError or DatabaseError.
    """
    names = [name for name in run_names(settings) if name.kind == "screening"]
    counts: dict[str, int] = dict.fromkeys((WRITTEN, *get_args(NotKept)), 0)
    unreadable = []
    progress("history", 0, len(names))
    with opened(settings.database) as database:
        for done, name in enumerate(names, start=1):
            try:
                counts[_rebuild(str(name), database, settings)] += 1
            except (KeyError, TypeError, ValueError, AttributeError, RunNotFound):  # half a run, or of another release
                unreadable.append(str(name))
            progress("history", done, len(names))
    return Rebuilt(**counts, unreadable=tuple(unreadable))


def _rebuild(run: str, database: Database, settings: Settings) -> str:
    """Returns WRITTEN, or why the run is not kept."""
    folder = RunFolder.existing(settings.runs, run)
    history = _history_of(run, folder, kept_unknown(folder), settings)
    if isinstance(history, str):
        return history
    with database.writing() as connection:
        replace_run(connection, history)
    folder.remove(run_files.HISTORY_MISSING)
    return WRITTEN


def _history_of(run: str, folder: RunFolder, inputs: Unknown, settings: Settings) -> RunHistory | NotKept:
    if not folder.exists(run_files.SUMMARY):
        return "unfinished"
    summary = RunSummary.model_validate(folder.read_json(run_files.SUMMARY))
    if summary.cohort == "patients":
        return "patients"
    return history_of(
        overview_of(run, settings),
        Condition.model_validate_json(folder.read_bytes(run_files.CONDITION)),
        summary,
        folder.read_frame(run_files.LEDGER, _OF_STAYS),
        folder.read_json(run_files.SET_ASIDE),
        inputs,
    )
