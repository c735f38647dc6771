"""How the stream is doing: what waits, what became of messages, how long it took, and against which limits.

The limits are those that the builders of a system like this gave for theirs: failures of 2 % of a stage's messages, 5 %
of the last one's; from a message to its prediction 1.3 minutes (median; quartiles 0.88 and 19.8).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Final, NamedTuple

from wardround.adapters.queue.figures import Ended, Waiting, dead_letters, ended, last_received, waiting
from wardround.adapters.queue.message import DEAD, DONE
from wardround.adapters.queue.pauses import Pause, pauses
from wardround.adapters.queue.queue import Queue
from wardround.stream.stages import QUEUES, at_work

FAILURES: Final[Mapping[str, float]] = {"resolve": 0.02, "flag": 0.02, "query": 0.02, "predict": 0.02, "notify": 0.05}
"""The share of a stage's messages that may fail."""
_RECENT: Final = timedelta(hours=1)


class Quartiles(NamedTuple):
    """The quartiles of times, in seconds."""

    lower: float
    median: float
    upper: float


POSTER: Final = Quartiles(0.88 * 60, 1.3 * 60, 19.8 * 60)
"""From the message to the prediction, at the hospital whose system this one follows."""


@dataclass(frozen=True)
class Worked:
    """What a stage did in a time.

    Attributes:
        outcomes: how many messages ended, by outcome.
        seconds: from the last taking of a message to its end; None if there was none.
        total: from as_of (or the receipt, where there is none) to the end, of those that are done; None if there was
            none.
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    seconds: Quartiles | None = None
    total: Quartiles | None = None

    @property
    def taken(self) -> int:
        return sum(self.outcomes.values())

    @property
    def passed_on(self) -> int:
        return self.outcomes.get(DONE, 0)

    @property
    def failed(self) -> int:
        return self.outcomes.get(DEAD, 0)

    @property
    def ended_otherwise(self) -> int:
        return self.taken - self.passed_on - self.failed

    def fails_too_often(self, stage: str) -> bool:
        """Returns whether more of the stage's messages failed than may."""
        return self.failed > FAILURES[stage] * self.taken


@dataclass(frozen=True)
class StageStatus:
    """A stage now, and what it did in the last hour."""

    stage: str
    waiting: Waiting
    dead: int
    paused: Pause | None
    hour: Worked


@dataclass(frozen=True)
class Status:
    """The whole stream at a time; `sources` says when the last message of each was received."""

    at: datetime
    stages: tuple[StageStatus, ...]
    sources: Mapping[str, datetime]
    paused_sources: tuple[Pause, ...]

    @property
    def total(self) -> Quartiles | None:
        """Returns the time until the last stage was done, in the last hour."""
        return self.stages[-1].hour.total


def status_of(queue: Queue, now: datetime) -> Status:
    """Returns how the stream is doing. Raises StorageError or DatabaseError."""
    paused = pauses(queue.database)
    paused_stages = {one.name: one for one in paused if one.kind == "stage"}
    waits, dead = waiting(queue, now), dead_letters(queue)
    stages = tuple(
        StageStatus(
            stage,
            waits.get(stage, Waiting()),
            dead.get(stage, 0),
            paused_stages.get(stage),
            worked(ended(queue, stage, now - _RECENT, now + _RECENT)),  # a clock may be set back
        )
        for stage in at_work({*waits, *dead, *paused_stages})
    )
    return Status(now, stages, last_received(queue), tuple(one for one in paused if one.kind == "source"))


def worked_in(queue: Queue, since: datetime, until: datetime) -> dict[str, Worked]:
    """Returns what each stage did from `since` until before `until`. Raises StorageError or DatabaseError."""
    found = {stage: worked(ended(queue, stage, since, until)) for stage in QUEUES}
    return {stage: found[stage] for stage in at_work([stage for stage, one in found.items() if one.taken])}


def worked(messages: Iterable[Ended]) -> Worked:
    """Returns the figures of messages that ended."""
    outcomes: Counter[str] = Counter()
    seconds, total = array("d"), array("d")  # a month has a million
    for one in messages:
        outcomes[one.outcome] += 1
        seconds.append(max(0.0, one.seconds))
        if one.outcome == DONE:
            total.append(max(0.0, one.total))
    return Worked(dict(sorted(outcomes.items())), _quartiles(seconds), _quartiles(total))


def _quartiles(values: "array[float]") -> Quartiles | None:
    if not values:
        return None
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    return Quartiles(*quantiles(values, n=4, method="inclusive"))
