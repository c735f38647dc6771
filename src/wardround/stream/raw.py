"""A raw message as the queue holds it: the bytes as they came, and what tells them from all others."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from wardround.adapters.queue.message import Put

STAGE: Final = "flag"
# One key, so one order for all: a merge or a swap touches two patients.
_KEY: Final = "adt"
# Due in the past: a clock that is set back lets no later message go first.
_DUE_SINCE: Final = timedelta(days=1)


def raw(body: bytes, source: str, received: datetime) -> Put:
    """Returns what is stored of a message of a source. The same bytes of the same source are the same message."""
    dedup = sha256(source.encode() + b"\0" + body).hexdigest()
    return Put(STAGE, _KEY, body, dedup, received - _DUE_SINCE, received, source)
