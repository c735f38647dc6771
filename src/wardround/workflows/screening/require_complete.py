"""A run's summary in; RunIncomplete if it is not one of a complete run. It comes last: there is always a report."""

from collections.abc import Mapping
from typing import Any

from wardround.errors import RunIncomplete


def require_complete(summary: Mapping[str, Any]) -> None:
    """Raises RunIncomplete if too many stays failed, or the server does not hold what the ledger says."""
    if summary["complete"]:
        return
    problems = summary["problems"]
    named = ", ".join(f"Encounter/{stay} {verdict}" for stay, verdict in list(problems.items())[:5])
    wrong = f", {len(problems)} of them because the server does not hold what was written ({named})" if problems else ""
    raise RunIncomplete(
        f"run {summary['run']}: {summary['failed']} of {summary['found']} stays failed{wrong}, expected every stay "
        "screened; see the report, mend the cause and run the same as_of again"
    )
