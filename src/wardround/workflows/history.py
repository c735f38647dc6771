"""Keeps the history: writes the figures of ended runs to Wardround's database, and rebuilds them from the run folders.

If the database cannot be used, a run still writes and reports its scores. The failure is not ignored either: the run's
folder states that the run is missing from the history, and the last step tries again and fails if it must.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_summary import RunSummary
from wardround.errors import DatabaseError, RunNotFound, WardroundError, named
from wardround.report.history import RunHistory, history_of
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.workflows.run_inputs import kept_unknown
from wardround.workflows.run_list import overview_of, run_names

if TYPE_CHECKING:
    from wardround.adapters.database.database import Database

_OF_STAYS: Final = ["unit", "outcome", "reason", "score", "band"]

_LOG = logging.getLogger(__name__)

WRITTEN: Final = "written"
_NotKept = Literal["unfinished", "patients"]
"""Not kept: a run that has not ended, and a run of patients requested by id, who are no ward and may be one person."""


@dataclass(frozen=True)
class Rebuilt:
    """How many run folders are in the history, and how many are not, by reason."""

    written: int
    unfinished: int
    patients: int
    unreadable: tuple[str, ...]


def keep_history(run: str, settings: Settings) -> None:
    """Writes a run to the history, replacing its earlier figures.

    If that fails, a file in the run's folder records it for `require_history`.
    """
    folder = RunFolder.existing(settings.runs, run)
    try:
        history = _history_of(run, folder, settings)
        if not isinstance(history, str):
            # SQLAlchemy takes a quarter of a second to import, which the other steps and the gate need not wait for.
            from wardround.adapters.database.database import opened
            from wardround.adapters.database.history import replace_run

            with opened(settings.database) as database, database.writing() as connection:
                replace_run(connection, history)
    except Exception as error:  # noqa: BLE001 - the history must not cost a ward tonight's report
        why = str(error) if isinstance(error, WardroundError) else named(error)
        folder.write_json(run_files.HISTORY_MISSING, {"why": why})
        _LOG.warning("run %s: is missing from the history: %s", run, why)
    else:
        folder.remove(run_files.HISTORY_MISSING)


def retry_history(run: str, settings: Settings) -> None:
    """Tries again to write a run that is missing from the history."""
    if RunFolder.existing(settings.runs, run).exists(run_files.HISTORY_MISSING):
        keep_history(run, settings)


def require_history(run: str, settings: Settings) -> None:
    """Raises DatabaseError if the run could not be written to the history."""
    folder = RunFolder.existing(settings.runs, run)
    if folder.exists(run_files.HISTORY_MISSING):
        why = folder.read_json(run_files.HISTORY_MISSING)["why"]
        raise DatabaseError(
            f"run {run}: ended and is reported, but is missing from the history ({why}); fix that, then run"
            " `wardround history rebuild`"
        )


def rebuild(settings: Settings, progress: Callable[[str, int, int], None]) -> Rebuilt:
    """Writes every run that has a folder to the history again. Safe to interrupt, and safe while other runs continue.

    Runs without a folder keep their figures. Raises SettingsError, StorageError or DatabaseError.
    """
    from wardround.adapters.database.database import opened

    names = [name for name in run_names(settings) if name.kind == "screening"]
    counts: dict[str, int] = dict.fromkeys((WRITTEN, *get_args(_NotKept)), 0)
    unreadable = []
    progress("history", 0, len(names))
    with opened(settings.database) as database:
        for done, name in enumerate(names, start=1):
            try:
                counts[_rebuild(str(name), database, settings)] += 1
            except (KeyError, TypeError, ValueError, AttributeError, RunNotFound):  # incomplete, or of another release
                unreadable.append(str(name))
            progress("history", done, len(names))
    return Rebuilt(**counts, unreadable=tuple(unreadable))


def _rebuild(run: str, database: "Database", settings: Settings) -> str:
    """Returns WRITTEN, or why the run is not kept."""
    from wardround.adapters.database.history import replace_run

    folder = RunFolder.existing(settings.runs, run)
    history = _history_of(run, folder, settings)
    if isinstance(history, str):
        return history
    with database.writing() as connection:
        replace_run(connection, history)
    folder.remove(run_files.HISTORY_MISSING)
    return WRITTEN


def _history_of(run: str, folder: RunFolder, settings: Settings) -> RunHistory | _NotKept:
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
        kept_unknown(folder),
    )
