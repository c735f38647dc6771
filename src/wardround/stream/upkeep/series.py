"""Writes what the stream did in an hour to the history: counts and times by stage, in which there is no patient."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from wardround.adapters.database.history import replace_run, run_in
from wardround.adapters.queue.figures import Waiting, dead_letters, waiting
from wardround.adapters.queue.queue import Queue
from wardround.report.history import STREAM, WHOLE, Figure, RunHistory
from wardround.stream.predict import SHADOW
from wardround.stream.stages import at_work
from wardround.stream.status import Quartiles, Worked, worked_in
from wardround.stream.upkeep.drained import HOUR

SEEN: Final = ("waiting", "planned", "oldest", "dead_letters")
"""What was seen as the hour was written first, and cannot be found out later."""


def keep_series(queue: Queue, as_of: datetime, now: datetime) -> str:
    """Writes the last full hour before `as_of` to the history; returns its name there.

    Again, it takes its own place: what has ended is counted again, and what waited stays as it was seen first. Raises
    StorageError or DatabaseError.
    """
    end = as_of.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    run = f"{STREAM}-{end:%Y%m%dT%H%M%SZ}"
    counted = list(_counted(worked_in(queue, end - HOUR, end)))
    seen = list(_seen(waiting(queue, now), dead_letters(queue), now))
    with queue.database.writing() as connection:
        if (before := run_in(connection, run)) is not None:
            seen = [one for one in before.figures if one.measure in SEEN]
        replace_run(
            connection,
            RunHistory(
                run=run,
                condition=STREAM,
                source="",
                as_of=end,
                mode="live",
                state="complete",
                model_version="",
                figures=tuple(sorted([*counted, *seen])),
            ),
        )
    return run


def _counted(stages: Mapping[str, Worked]) -> Iterator[Figure]:
    flagged, scored, told = (stages[name] for name in ("flag", "predict", "notify"))
    yield Figure(WHOLE, "messages", flagged.taken)
    yield Figure(WHOLE, "scored", scored.passed_on + scored.outcomes.get(SHADOW, 0))
    yield Figure(WHOLE, "failed", sum(one.failed for one in stages.values()))
    yield from _times(WHOLE, "total", told.total)
    for stage, one in stages.items():
        yield Figure(stage, "taken", one.taken)
        yield Figure(stage, "failed", one.failed)
        yield from (Figure(stage, f"outcome:{outcome}", number) for outcome, number in one.outcomes.items())
        yield from _times(stage, "seconds", one.seconds)


def _times(unit: str, measure: str, times: Quartiles | None) -> Iterator[Figure]:
    if times is not None:
        yield from (Figure(unit, f"{measure}_{name}", round(one, 6)) for name, one in times._asdict().items())


def _seen(waits: Mapping[str, Waiting], dead: Mapping[str, int], now: datetime) -> Iterator[Figure]:
    ages = {stage: max(0.0, (now - one.oldest).total_seconds()) if one.oldest else 0.0 for stage, one in waits.items()}
    yield Figure(WHOLE, "waiting", sum(one.due for one in waits.values()))
    yield Figure(WHOLE, "oldest", round(max(ages.values(), default=0.0), 1))
    for stage in at_work({*waits, *dead}):
        one = waits.get(stage, Waiting())
        yield Figure(stage, "waiting", one.due)
        yield Figure(stage, "planned", one.planned)
        yield Figure(stage, "oldest", round(ages.get(stage, 0.0), 1))
        yield Figure(stage, "dead_letters", dead.get(stage, 0))
