"""Plays the hospital: sends its messages at a rate, as an interface engine does, and counts what came of them.

It sees patient values, though made-up ones; it never logs.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from wardround.demo.hospital.acknowledged import ACCEPTED, FAILED, acknowledged
from wardround.demo.hospital.announcing import Announced
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed

NO_ANSWER: Final = "none"
OTHER: Final = "of another message"
_AGAIN: Final = timedelta(seconds=1)


class Line(Protocol):
    """A connection to the listener."""

    def exchange(self, body: bytes) -> bytes | None:
        """Sends a message and returns its acknowledgement; None if none came. It connects again if it must."""


@dataclass
class Clock:
    """The present, and a way to wait for a moment; tests pass their own."""

    now: Callable[[], datetime]
    wait_until: Callable[[datetime], None]


@dataclass
class Account:
    """What was sent, and how it was answered.

    Attributes:
        sent: messages, each counted once.
        codes: how they were acknowledged in the end, by code; NO_ANSWER and OTHER for those that were not.
        resent: how often a message was sent again because it could not be stored or was not answered.
    """

    sent: int = 0
    resent: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def not_acknowledged(self) -> int:
        """Messages whose last answer did not say that they were stored."""
        return self.sent - sum(self.codes[code] for code in ACCEPTED)


@dataclass(frozen=True)
class Pacing:
    """How fast, how long and how patiently.

    Attributes:
        rate: messages a second.
        messages: how many to send; None for no end.
        after: how long charts go on after the last message.
        patience: how long a message is sent again that could not be stored.
    """

    rate: float
    messages: int | None = None
    after: timedelta = timedelta()
    patience: timedelta = timedelta(minutes=10)


def play(feed: Feed, charts: Charts, line: Line, pacing: Pacing, clock: Clock, account: Account) -> None:
    """Sends the feed's messages, one after the other, each after the acknowledgement of the one before.

    Raises FhirError if a chart cannot be written.
    """
    began, step = clock.now(), timedelta(seconds=1 / pacing.rate)
    while pacing.messages is None or account.sent < pacing.messages:
        clock.wait_until(began + account.sent * step)
        charts.write_known(clock.now())
        _deliver(feed.next(clock.now()).announced, line, pacing.patience, clock, account)
    ends = clock.now() + pacing.after
    while (now := clock.now()) < ends:
        charts.write_known(now)
        clock.wait_until(min(ends, now + _AGAIN / 4))


def _deliver(announced: Announced, line: Line, patience: timedelta, clock: Clock, account: Account) -> None:
    account.sent += 1
    gives_up = clock.now() + patience
    while (code := _exchange(announced, line)) in (*FAILED, NO_ANSWER) and (now := clock.now()) < gives_up:
        account.resent += 1
        clock.wait_until(now + _AGAIN)
    account.codes[code] += 1


def _exchange(announced: Announced, line: Line) -> str:
    answer = line.exchange(announced.body)
    if answer is None:
        return NO_ANSWER
    code, control_id = acknowledged(answer)
    return code if control_id == announced.control_id else OTHER
