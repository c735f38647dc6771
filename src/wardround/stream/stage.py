"""What a stage of the stream is: messages in, what became of them out. The runner and the queue do the rest."""

from collections.abc import Iterable, Sequence
from datetime import datetime
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
    """A stage. It keeps no state of its own between messages: it may be killed at any moment.

    Attributes:
        name: its queue.
        most: how many messages it takes at once.
        together: whether several messages of one key may be taken at once. What `handle` returns after a message that
            is to be done later is then not used for the following ones of its key, which are handled again. So a stage
            whose `handle` has effects outside the queue must not set it.
    """

    name: str
    most: int
    together: bool

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterable[Done]:
        """Yields what became of each message, in order.

        Raises StageStopped if it cannot work at all. Any other exception is blamed on the message that it was to yield
        next.
        """
