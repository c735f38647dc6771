"""A notification as the queue holds it, for the stage `resolve`."""

from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from wardround.adapters.queue.message import Put
from wardround.stream.subscriptions.notification import Notified

STAGE: Final = "resolve"


def announced(source: str, found: Notified, received: datetime) -> Put:
    """Returns what is stored of a notification. Each counts: a second one with the same content is another change."""
    body = msgspec.json.encode(found)
    return Put(STAGE, source, body, f"{received.isoformat()}:{sha256(body).hexdigest()}", received, received, source)


def announced_in(body: bytes) -> Notified:
    """Returns what a body of the stage announces. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=Notified)
