"""When a stay is scored: at receipt plus one of its branch's times, of which the first that gives a score ends it."""

from datetime import datetime
from typing import Final

from wardround.adapters.queue.message import Message, Put
from wardround.spec.base import format_duration
from wardround.stream.bodies import Admission, admission_in, packed
from wardround.stream.branches import Way
from wardround.stream.visit_keys import visit_in

ASKED_AGAIN: Final = "asked_again"


def as_of_of(message: Message, way: Way) -> datetime:
    """Returns the prediction time of a message, which whoever put it has said, or else the branch's first."""
    return message.as_of or message.received + way.branch.at[0]


def name_of(message: Message, as_of: datetime) -> str:
    """Returns what names one prediction of one branch for one raw message and visit, in every stage.

    A swap (A17) is one message that may admit two.
    """
    return f"{message.origin}:{message.branch}:{visit_in(message.key)}:{format_duration(as_of - message.received)}"


def asked_again(message: Message, way: Way, admission: Admission | None = None) -> tuple[Put, ...]:
    """Returns the request for the branch's next time; nothing if this was the last.

    `admission` is what the message is about, if its body is not that.
    """
    after = way.branch.after(as_of_of(message, way) - message.received)
    if after is None:
        return ()
    as_of = message.received + after
    put = message.followed_by(
        "query",
        message.key,
        packed(admission or admission_in(message.body)),
        name_of(message, as_of),
        due=as_of,
        as_of=as_of,
    )
    return (put,)
