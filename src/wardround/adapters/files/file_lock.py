"""Locks on files: the operating system releases them when a process ends, however it ends.

They hold on one machine, and over several as far as the file system locks for all of them (NFS does). Decision 39 says
why no library does this.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wardround.adapters.files.refused import storing


def lock(file: IO[Any], *, shared: bool = False) -> None:
    """Waits until the lock is free, and holds it until the file is closed.

    Those who share it hold it together; it is then free for nobody else.
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
    """Holds the lock of a file, which is made if it is not there, after waiting for it. Raises StorageError."""
    with storing(path):
        file = path.open("a+")
    with file:
        with storing(path):
            lock(file)
        yield
