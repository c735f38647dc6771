"""Fails a run that is incomplete or found too few stays. It comes after the report, so that there is one."""

import logging

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.expected_stays import doubt_in_words
from wardround.core.run_summary import RunSummary
from wardround.errors import CensusImplausible, RunIncomplete
from wardround.settings import Settings
from wardround.workflows.history import require_history, retry_history
from wardround.workflows.report_places import report_place
from wardround.workflows.screen.expected_stays import census_of

_LOG = logging.getLogger(__name__)


def require_complete(run: str, settings: Settings) -> None:
    """Raises RunIncomplete if too many stays failed, or the server lacks what the ledger says, or the Group.

    Raises CensusImplausible if fewer stays were found than expected; those that were found have then been screened.
    Raises DatabaseError if nothing else is wrong but the run is still missing in the history, after another try.
    """
    folder = RunFolder.existing(settings.runs, run)
    if folder.exists(run_files.SUMMARY):
        said = RunSummary.model_validate(folder.read_json(run_files.SUMMARY)).counts
        counts = "; ".join(f"{name} {number}" for name, number in said.items())
        _LOG.info("run %s: %s; report %s", run, counts, report_place(run, settings))
    retry_history(run, settings)
    _require_stays(run, folder)
    summary = RunSummary.model_validate(folder.read_json(run_files.SUMMARY))
    if summary.complete:
        require_history(run, settings)
        return
    _require_group(run, summary)
    problems = summary.problems
    named = ", ".join(f"Encounter/{stay} {verdict}" for stay, verdict in list(problems.items())[:5])
    wrong = f", {len(problems)} of them because the server does not have what was written ({named})" if problems else ""
    raise RunIncomplete(
        f"run {run}: {summary.failed} of {summary.found} stays failed{wrong}, expected every stay screened; "
        "see the report, fix the cause and resume the run"
    )


def _require_group(run: str, summary: RunSummary) -> None:
    """Raises RunIncomplete for a refused Group if nothing else is wrong: problems with stays are reported first."""
    group = summary.high_band
    if group and group.is_refused and not summary.problems and not summary.failed:
        raise RunIncomplete(
            f"run {run}: the server did not accept the Group of the high band ({group.why}),"
            " expected it to list the patients in the high band; allow this client to search,"
            " create and update Groups and resume the run, or leave high_band_group out of the condition"
        )


def _require_stays(run: str, folder: RunFolder) -> None:
    if doubt := doubt_in_words(census_of(folder)):
        raise CensusImplausible(
            f"run {run}: {doubt}; the stays that were found are screened: compare the ICU classes and"
            " Locations with what `wardround check-source` counts, and if these are all,"
            " screen again with --accept-census (in the form: Accept the census)"
        )
