"""One writer at a time for a source and a condition, among all processes that share a folder.

It is a lock on a file, which the operating system gives back when its process ends, however it ends. It holds on one
machine, and over several as far as they share the folder through a file system that locks for all of them (NFS does).
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path


@contextmanager
def single_writer(folder: Path, source_url: str, condition: str) -> Iterator[None]:
    """Waits until nobody else writes results of this condition to this source, and keeps others waiting meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    name = sha256(json.dumps([source_url.rstrip("/"), condition]).encode()).hexdigest()
    with (folder / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
