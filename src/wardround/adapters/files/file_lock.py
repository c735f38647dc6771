"""Locks files; the operating system releases a lock when its process ends, however it ends.

The locks work on one machine, and across several if the file system locks for all of them (NFS does). Decision 39 says
why no library does this.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wardround.adapters.files.refused import storing


def lock(file: IO[Any] | int, *, shared: bool = False) -> None:
    """Waits until the lock is free, and holds it until the file is closed.

    A shared lock can be held by several at once; an exclusive one is then not available.
    """
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def try_lock(file: IO[Any]) -> bool:
    """Takes the lock if it is free, and returns whether it was."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for the lock of a file and holds it; creates the file if it is missing. Raises StorageError."""
    with storing(path):
        file = path.open("a+")
    with file:
        with storing(path):
            lock(file)
        yield
