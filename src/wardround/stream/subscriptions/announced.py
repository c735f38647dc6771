"""A notification as the queue holds it, for the stage `resolve`."""

from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from wardround.adapters.queue.message import Put
from wardround.stream.subscriptions.notification import Notified

STAGE: Final = "resolve"


def announced(source: str, found: Notified, received: datetime) -> Put:
    """Returns what is stored of a notification. Each counts: a second one with the same content is another change.

    Only those of the same content wait for one another: what they announce is read as it is then, and the stage `flag`
    knows which of two states is the older one.
    """
    body = msgspec.json.encode(found)
    key = sha256(source.encode() + b"\0" + body).hexdigest()
    return Put(STAGE, key, body, f"{received.isoformat()}:{key}", received, received, source)


def announced_in(body: bytes) -> Notified:
    """Returns what a body of the stage announces. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=Notified)
