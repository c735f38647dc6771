"""What a stage of the stream is: messages in, what became of them out. The runner and the queue do the rest."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from wardround.adapters.queue.message import Done, Message


class StageStopped(Exception):
    """What the stage needs is down: a FHIR server, a model store. No message is to blame.

    The runner puts all messages back without counting the attempt and goes on in order when the stage works again.

    Attributes:
        reason: what is down, and why; never a value.
        retry_after: seconds until another attempt is worthwhile, as a server says; None if it does not say.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Stage(Protocol):
    """A stage. It keeps nothing between messages that must outlive it: it may be killed at any moment.

    Attributes:
        name: its queue.
        most: how many messages it takes at once.
        together: whether several messages of one key may be taken at once. What `handle` yields after a message that
            is to be done later is then not used for the following ones of its key, which are handled again. So a stage
            whose `handle` has effects outside the database must not set it.
        delays: how long a message waits after each attempt that failed, and those of its key behind it; after as many
            attempts and one more, it is a dead letter.
    """

    @property
    def name(self) -> str: ...

    @property
    def most(self) -> int: ...

    @property
    def together(self) -> bool: ...

    @property
    def delays(self) -> Sequence[timedelta]: ...

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterable[Done]:
        """Yields what became of the messages, each one once.

        Raises StageStopped if it cannot work at all. After any other exception, the messages of which it has not
        yielded anything are handled one by one, so that the right one is blamed.
        """
