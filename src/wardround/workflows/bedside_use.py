"""Keeps with a run what the bedside door showed and heard before it, for the run's report."""

import logging
from datetime import timedelta

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.files.stored_request_file import read_request
from wardround.core import run_files
from wardround.core.stored_request import StoredScreening
from wardround.errors import DatabaseError, StorageError
from wardround.report.bedside import DAYS, BedsideUse
from wardround.settings import Settings
from wardround.spec.conditions import Condition

_LOG = logging.getLogger(__name__)


def keep_bedside_use(run: str, settings: Settings) -> None:
    """Writes what was shown and heard in the last days; no file if there was nothing.

    A database that cannot be used costs the report this section and nothing else.
    """
    folder = RunFolder.existing(settings.runs, run)
    # Then the database could not be used a moment ago, and the last step will say so.
    if folder.exists(run_files.HISTORY_MISSING):
        return
    from wardround.adapters.database.bedside import bedside_use
    from wardround.adapters.database.database import opened

    condition = Condition.model_validate_json(folder.read_bytes(run_files.CONDITION))
    until = read_request(folder, StoredScreening).as_of
    try:
        with opened(settings.database) as database, database.reading() as connection:
            use = bedside_use(connection, condition, until - timedelta(days=DAYS), until)
    except (DatabaseError, StorageError) as error:
        _LOG.warning("run %s: what was shown at the bedside is missing from the report: %s", run, error)
        return
    if use.shown or use.unknown:
        folder.write_json(run_files.BEDSIDE, use.as_json())


def kept_bedside_use(folder: RunFolder) -> BedsideUse | None:
    """Returns what was kept with a run; None if there is nothing."""
    kept = folder.read_json_or(run_files.BEDSIDE, None)
    return BedsideUse.model_validate(kept) if kept else None
