"""What one stage of this process counts, and whether it works."""

from collections.abc import Sequence
from datetime import datetime

from wardround.adapters.queue.message import Done
from wardround.stream.metrics import FINISHED, LOST_LEASES, STAGE_SECONDS, WORKS, Metrics


class StageMetrics:
    """The counts of a stage; `trouble` says why it does not work, "" if it does."""

    def __init__(self, stage: str, metrics: Metrics) -> None:
        self._stage = stage
        self._metrics = metrics
        self.trouble = "has not begun"

    def works(self) -> None:
        """Says that the stage has what it needs."""
        self.trouble = ""
        self._metrics.set(WORKS, 1, stage=self._stage)

    def stopped(self, reason: str) -> None:
        """Says that it waits for something that it needs."""
        self.trouble = reason
        self._metrics.set(WORKS, 0, stage=self._stage)

    def finished(self, done: Sequence[Done], held: Sequence[bool], now: datetime) -> None:
        """Counts messages that were handled, with the seconds since they were taken."""
        for one, mine in zip(done, held, strict=True):
            if mine:
                self._metrics.add(FINISHED, stage=self._stage, outcome=one.outcome)
                seconds = max(0.0, (now - one.message.began).total_seconds())  # the clock may have been set back
                self._metrics.took(STAGE_SECONDS, seconds, stage=self._stage)
            else:
                self._metrics.add(LOST_LEASES, stage=self._stage)
