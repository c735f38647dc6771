"""A run in; an error if it is incomplete or found too few stays. It comes after the report, so that there is one."""

from wardround.adapters.run_folder import RunFolder
from wardround.core.expected_stays import doubt_in_words
from wardround.errors import CensusImplausible, RunIncomplete
from wardround.settings import Settings
from wardround.workflows.screening.census import census_of


def require_complete(run: str, settings: Settings) -> None:
    """Raises RunIncomplete if too many stays failed, or the server does not hold what the ledger says.

    Raises CensusImplausible if fewer stays were found than expected; those that were found are screened by then.
    """
    folder = RunFolder.existing(settings.runs, run)
    _require_stays(run, folder)
    summary = folder.read_json("summary.json")
    if summary["complete"]:
        return
    problems = summary["problems"]
    named = ", ".join(f"Encounter/{stay} {verdict}" for stay, verdict in list(problems.items())[:5])
    wrong = f", {len(problems)} of them because the server does not hold what was written ({named})" if problems else ""
    raise RunIncomplete(
        f"run {run}: {summary['failed']} of {summary['found']} stays failed{wrong}, expected every stay screened; "
        "see the report, mend the cause and resume the run"
    )


def _require_stays(run: str, folder: RunFolder) -> None:
    if doubt := doubt_in_words(census_of(folder)):
        raise CensusImplausible(
            f"run {run}: {doubt}; those found are screened: compare the ICU classes and Locations with what"
            " `wardround check-source` counts, and if these are all, screen again with --accept-census (in the form:"
            " Accept the census)"
        )
