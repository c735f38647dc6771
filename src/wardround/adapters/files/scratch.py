"""Folders for what does not fit into memory: gone when the work ends, and when it was killed, with the next work."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from wardround.adapters.files.refused import storing

_NEW: Final = "wardround-new-"
_SCRATCH: Final = "wardround-scratch-"
_LOCK: Final = ".lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder where TMPDIR says. Raises StorageError if it cannot be made, or what is written into it finds no room.

    A lock says that it is in use, and goes with the process; it is there before the folder has the name by which
    leftovers are looked for.
    """
    place = Path(tempfile.gettempdir())
    with storing(place):
        _remove_leftovers(place)
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=place))
    folder = place / new.name.replace(_NEW, _SCRATCH, 1)
    try:
        with storing(folder), (new / _LOCK).open("x") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(folder)
            yield folder
    finally:
        for each in (new, folder):
            shutil.rmtree(each, ignore_errors=True)


def _remove_leftovers(place: Path) -> None:
    for left in place.glob(f"{_SCRATCH}*"):
        # Somebody else's cannot be opened, and one in use is locked.
        with suppress(OSError), (left / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
