"""One writer at a time for a source and a condition, among all processes that share a folder.

It is a lock on a file, which the operating system gives back when its process ends, however it ends. It holds on one
machine, and over several as far as they share the folder through a file system that locks for all of them (NFS does).
"""

import fcntl
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from wardround.adapters.storing import storing

_LOG = logging.getLogger(__name__)


@contextmanager
def single_writer(folder: Path, source_url: str, condition: str) -> Iterator[None]:
    """Waits until nobody else writes results of this condition to this source, and keeps others waiting meanwhile.

    Raises StorageError.
    """
    name = sha256(json.dumps([source_url.rstrip("/"), condition]).encode()).hexdigest()
    place = folder / f"{name}.lock"
    with storing(place):
        folder.mkdir(parents=True, exist_ok=True)
        file = place.open("a")
    with file:
        _wait_for(file, condition)
        yield


def _wait_for(file: IO[str], condition: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        began = time.monotonic()
        _LOG.info("somebody else writes results of %s to this source; waiting", condition)
        fcntl.flock(file, fcntl.LOCK_EX)
        _LOG.info("waited %.1f s for the other writer", time.monotonic() - began)
