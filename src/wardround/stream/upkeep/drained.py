"""Reports what waits in the stream and what became of the last hour's messages: the account after a downtime."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from wardround.adapters.queue.figures import dead_letters, ended, waiting
from wardround.adapters.queue.queue import Queue
from wardround.errors import RunIncomplete
from wardround.stream.stages import at_work

HOUR: Final = timedelta(hours=1)
OLDEST: Final = timedelta(minutes=30)
"""A message that has been due for longer shows that its stage has stopped, or works off a backlog."""


def drain_report(queue: Queue, now: datetime) -> dict[str, dict[str, Any]]:
    """Returns counts and seconds by stage; nothing of a patient. Raises StorageError or DatabaseError.

    `ended` counts the last hour's messages by outcome; `slowest` and `median` are their seconds from the prediction
    time, or from the receipt, to the end of the stage.
    """
    open_now, dead = waiting(queue, now), dead_letters(queue)
    report: dict[str, dict[str, Any]] = {}
    for stage in at_work({*open_now, *dead}):
        finished = list(ended(queue, stage, now - HOUR, now))
        seconds = [one.total for one in finished]
        waits = open_now.get(stage)
        report[stage] = {
            "due": waits.due if waits else 0,
            "planned": waits.planned if waits else 0,
            "oldest": _seconds(now, waits.oldest if waits else None),
            "dead": dead.get(stage, 0),
            "ended": dict(Counter(one.outcome for one in finished)),
            "median": round(median(seconds), 1) if seconds else None,
            "slowest": round(max(seconds), 1) if seconds else None,
        }
    return report


def require_drained(report: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises RunIncomplete if the oldest message of a stage has been due for too long."""
    for stage, said in report.items():
        if said["oldest"] > OLDEST.total_seconds():
            raise RunIncomplete(
                f"stream {stage}: {said['due']} messages are due, the oldest for {said['oldest'] / 60:.0f} min,"
                f" expected at most {OLDEST.total_seconds() / 60:.0f}; see wardround stream status, and the stage's"
                " /ready page"
            )


def _seconds(now: datetime, since: datetime | None) -> float:
    return round(max(0.0, (now - since).total_seconds()), 1) if since else 0.0
