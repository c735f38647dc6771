"""Runs a stage: takes messages, lets the stage handle them, writes what became of them, and waits when it must.

Whatever happens, a message ends with an outcome or is taken again. A stage that cannot work waits with all its
messages; a message that fails waits alone, with those of its key, and becomes a dead letter in the end.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic
from typing import Final

from wardround.adapters.outage import Outage
from wardround.adapters.queue.message import DEAD, LATER, Done, Message
from wardround.adapters.queue.pauses import pauses
from wardround.adapters.queue.queue import Queue
from wardround.adapters.repeating import repeating
from wardround.errors import DatabaseError, StorageError, named
from wardround.stream.stage import Stage, StageStopped
from wardround.stream.stage_metrics import StageMetrics

LEASE: Final = timedelta(seconds=15)
"""How long nobody else takes the messages of a process that was killed. It is extended while they are handled."""
POLL: Final = 0.1
"""Seconds between two looks into an empty queue."""
LONGEST_WAIT: Final = 30.0
"""Seconds between two attempts of a stage that cannot work, at most."""
MOST_LOST: Final = 10
"""How often a message is taken without being finished, because the process ends each time."""

_LOOKED_EVERY: Final = 1.0  # seconds


def utc_now() -> datetime:
    """Returns the time, in UTC."""
    return datetime.now(UTC)


class Runner:
    """A stage at work in this process."""

    def __init__(
        self,
        stage: Stage,
        queue: Queue,
        metrics: StageMetrics,
        clock: Callable[[], datetime] = utc_now,
        lease: timedelta = LEASE,
    ) -> None:
        self._stage = stage
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._lease = lease
        self._outage = Outage(f"stream: what the stage {stage.name} needs", "attempts were in vain")
        self._looked = float("-inf")
        self._is_paused = False
        self._in_hand: Sequence[Message] = ()
        self._waiting_keys: set[str] = set()

    def run(self, stop: Event) -> None:
        """Works until `stop` is set, and then until the messages in hand are finished."""
        wait = 0.0
        with repeating(self._extend, self._lease.total_seconds() / 3, f"stream-{self._stage.name}-lease"):
            while not stop.wait(wait):
                wait = self._waited(wait)

    def release(self) -> None:
        """Lets others take what this runner has in hand, and can then no longer finish."""
        self._queue.put_back(self._in_hand, self._clock())

    def step(self) -> int:
        """Takes messages once and handles them; returns how many it took.

        Raises StageStopped, StorageError or DatabaseError. All messages that were not finished are then open.
        """
        if self._paused():
            return 0
        stage = self._stage
        self._in_hand = self._queue.take(stage.name, stage.most, self._lease, self._clock(), stage.together)
        taken = len(self._in_hand)
        try:
            self._waiting_keys.clear()
            for together in _portions(self._in_hand):
                self._handle(together)
        except (StageStopped, StorageError, DatabaseError):
            # If this fails too, the messages are taken again when the lease is over.
            with suppress(StorageError, DatabaseError):
                self.release()
            raise
        finally:
            self._in_hand = ()
        return taken

    def _waited(self, before: float) -> float:
        """Makes one step; returns how many seconds to wait for the next one."""
        try:
            taken = self.step()
        except StageStopped as stopped:
            return self._stopped(stopped.reason, before, stopped.retry_after or 0.0)
        except (StorageError, DatabaseError) as error:
            return self._stopped(str(error), before)
        self._outage.ended()
        self._metrics.works()
        return 0.0 if taken else POLL

    def _stopped(self, reason: str, before: float, retry_after: float = 0.0) -> float:
        self._outage.goes_on(reason)
        self._metrics.stopped(reason)
        return min(LONGEST_WAIT, max(1.0, 2 * before, retry_after))

    def _paused(self) -> bool:
        if monotonic() > self._looked + _LOOKED_EVERY:
            mine = ("stage", self._stage.name)
            self._is_paused = any((one.kind, one.name) == mine for one in pauses(self._queue.database))
            self._looked = monotonic()
        return self._is_paused

    def _extend(self) -> None:
        with suppress(StorageError, DatabaseError):  # the next attempt comes before the lease is over
            self._queue.extend(self._in_hand, self._lease, self._clock())

    def _handle(self, messages: Sequence[Message]) -> None:
        """Handles messages together, and finishes them; after an error, one by one what is left."""
        if any(one.key in self._waiting_keys for one in messages):
            self._queue.put_back(messages, self._clock())
            return
        if messages[0].lost >= MOST_LOST:
            self._finish([Done(messages[0], DEAD, f"the process ended {MOST_LOST} times while it was handled")])
            return
        left = {one.seq: one for one in messages}
        done: list[Done] = []
        try:
            for one in self._stage.handle(messages, self._clock()):
                del left[one.message.seq]
                done.append(one)
            if left:
                raise LookupError("handled, and nothing was said of it")
        except StageStopped:
            self._finish(done)
            raise
        except (StorageError, DatabaseError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the stage's; the feed goes on
            self._finish(done)
            self._blame(list(left.values()), len(messages), error)
        else:
            self._finish(done)

    def _blame(self, left: Sequence[Message], together: int, error: Exception) -> None:
        if not left:  # it said what became of all, and then failed: no message is to blame
            raise StageStopped(named(error)) from None
        if together == 1:
            self._finish([self._failed(left[0], error)])
            return
        for one in left:
            self._handle([one])

    def _failed(self, message: Message, error: Exception) -> Done:
        delays = self._stage.delays
        if message.attempts > len(delays):
            return Done(message, DEAD, named(error))
        return Done(message, LATER, named(error), due=self._clock() + delays[message.attempts - 1])

    def _finish(self, done: Sequence[Done]) -> None:
        """Writes what became of messages. What follows one that waits, in the order of its key, is put back."""
        waiting = self._waiting_keys | {one.message.key for one in done if one.outcome == LATER}
        useful = list(_useful(done, self._waiting_keys))
        now = self._clock()
        try:
            held = self._queue.finish(useful, now)
        except (StorageError, DatabaseError):
            raise
        except Exception as error:  # noqa: BLE001 - of what one of them wanted to write
            self._finish_alone(done, error)
        else:
            self._waiting_keys = waiting
            self._metrics.finished(useful, held, now)

    def _finish_alone(self, done: Sequence[Done], error: Exception) -> None:
        if len(done) == 1:
            self._finish([self._failed(done[0].message, error)])
            # What follows was made with what this one wanted to write.
            self._waiting_keys.add(done[0].message.key)
            return
        for one in done:
            self._finish([one])


def _useful(done: Sequence[Done], waiting: Set[str]) -> Iterator[Done]:
    keys = set(waiting)
    for one in done:
        if one.message.key in keys:
            yield Done(one.message, LATER, counts=False)
            continue
        if one.outcome == LATER:
            keys.add(one.message.key)
        yield one


def _portions(taken: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Yields what is handled together: alone, each message that was not finished before; it may end the process."""
    together: list[Message] = []
    for message in taken:
        if message.attempts > 1 or message.lost:
            if together:
                yield together
            yield [message]
            together = []
        else:
            together.append(message)
    if together:
        yield together
