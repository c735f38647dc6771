"""A run in; RunIncomplete if it is not complete. It comes after the report, so that there always is one."""

from wardround.adapters.run_folder import RunFolder
from wardround.errors import RunIncomplete
from wardround.settings import Settings


def require_complete(run: str, settings: Settings) -> None:
    """Raises RunIncomplete if too many stays failed, or the server does not hold what the ledger says."""
    summary = RunFolder.existing(settings.runs, run).read_json("summary.json")
    if summary["complete"]:
        return
    problems = summary["problems"]
    named = ", ".join(f"Encounter/{stay} {verdict}" for stay, verdict in list(problems.items())[:5])
    wrong = f", {len(problems)} of them because the server does not hold what was written ({named})" if problems else ""
    raise RunIncomplete(
        f"run {run}: {summary['failed']} of {summary['found']} stays failed{wrong}, expected every stay screened; "
        "see the report, mend the cause and resume the run"
    )
