"""Decides which runs are no longer needed, and why some of these stay all the same. Names no patient."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from wardround.core.run_overview import RunName, RunOverview

Stays = Literal["latest", "in_use", "not_ended", "not_complete", "not_in_history", "undecided"]

WHY: Final[dict[Stays, str]] = {
    "latest": "it is among the latest of its condition and source",
    "in_use": "something was written to it in the last 24 hours",
    "not_ended": "it did not end, and can be resumed",
    "not_complete": "stays failed or results are not as they should be on the server, and it can be resumed",
    "not_in_history": "its figures are missing from the history",
    "undecided": "nobody has decided about its model",
}
"""Why a run stays that is no longer needed."""

IN_USE: Final = timedelta(hours=24)
"""A run that something was written to within this time may still be worked on."""

OPEN: Final[tuple[Stays, ...]] = ("not_ended", "not_complete", "not_in_history", "undecided")
"""What may still be done with a run, until somebody says that it will not."""


@dataclass(frozen=True)
class Rule:
    """Says which runs are no longer needed.

    Attributes:
        before: only runs with an earlier prediction time; None for any time.
        keep: how many runs of each condition and source stay, the latest ones; at least one.
        is_open_too: whether runs go, too, of which something is left to do (OPEN).
    """

    before: datetime | None = None
    keep: int = 1
    is_open_too: bool = False

    def __str__(self) -> str:
        """Returns the rule in words, as the account of removed runs has it."""
        time = f"before {self.before:%Y-%m-%dT%H:%M:%SZ}, " if self.before else ""
        return f"{time}not among the latest {self.keep}{', open or not' if self.is_open_too else ''}"

    def judge(self, latest_first: Iterable[RunOverview]) -> dict[str, Stays | None]:
        """Returns the runs that are old, each with "latest" if it stays for that, and None if not."""
        seen: Counter[tuple[str, str]] = Counter()
        judged: dict[str, Stays | None] = {}
        for run in latest_first:
            name = RunName.of(run.run)
            seen[name.condition, run.source] += 1
            is_latest = seen[name.condition, run.source] <= self.keep
            if self.before is None and not is_latest:
                judged[run.run] = None
            elif self.before and name.time < self.before:
                judged[run.run] = "latest" if is_latest else None
        return judged


def left_to_do(run: RunOverview, retracting: bool, in_history: bool, decided: bool) -> Stays | None:
    """Returns what may still be done with a run (one of OPEN); None if nothing is left.

    Args:
        retracting: whether its retraction was begun and some of its results still stand.
        in_history: whether its figures are in the history, if they belong there.
        decided: whether somebody has decided about the model of a training.
    """
    if run.state in ("unfinished", "stopped", "unreadable"):
        return "not_ended"
    if run.state == "incomplete" or retracting:
        return "not_complete"
    if not in_history:
        return "not_in_history"
    return "undecided" if run.state == "trained" and not decided else None
