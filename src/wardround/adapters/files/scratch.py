"""Makes folders for data that does not fit into memory.

They are removed when the work ends, or by the next work if it was killed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from wardround.adapters.files.file_lock import lock, try_lock
from wardround.adapters.files.refused import storing

_NEW: Final = "wardround-new-"
_SCRATCH: Final = "wardround-scratch-"
_LOCK: Final = ".lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Gives a folder under TMPDIR. Raises StorageError if it cannot be made, or there is no room for the data.

    A lock, which ends with the process, shows that the folder is in use. The lock is taken before the folder gets the
    name by which leftovers are found.
    """
    place = Path(tempfile.gettempdir())
    with storing(place):
        _remove_leftovers(place)
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=place))
    folder = place / new.name.replace(_NEW, _SCRATCH, 1)
    try:
        with storing(folder), (new / _LOCK).open("x") as file:
            lock(file)
            new.rename(folder)
            yield folder
    finally:
        for each in (new, folder):
            shutil.rmtree(each, ignore_errors=True)


def _remove_leftovers(place: Path) -> None:
    for left in place.glob(f"{_SCRATCH}*"):
        # Another user's folder cannot be opened, and one in use is locked.
        with suppress(OSError), (left / _LOCK).open() as file:
            if try_lock(file):
                shutil.rmtree(left, ignore_errors=True)
