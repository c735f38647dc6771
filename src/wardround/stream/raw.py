"""A raw message as the queue holds it: the bytes as they came, and what tells them from all others."""

from datetime import datetime
from hashlib import sha256
from typing import Final

from wardround.adapters.queue.message import Put

STAGE: Final = "flag"
# One key, so one order for all: a merge or a swap touches two patients.
_KEY: Final = "adt"


def raw(body: bytes, source: str, received: datetime) -> Put:
    """Returns what is stored of a message of a source. The same bytes of the same source are the same message."""
    dedup = sha256(source.encode() + b"\0" + body).hexdigest()
    return Put(STAGE, _KEY, body, dedup, received, received, source)
