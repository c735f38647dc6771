"""Workers for the tests of `Workers`, which start them in processes of their own."""

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from wardround.cds.http.workers import end_with_parent

FOREVER = 600


def steady(folder: Path, ready: Connection) -> None:
    """Leaves a file with its process id, is ready, and ends with SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    (folder / str(os.getpid())).touch()
    ready.send("ready")
    time.sleep(FOREVER)


def attached(folder: Path, ready: Connection) -> None:
    """Ends with its parent as well."""
    end_with_parent()
    steady(folder, ready)


def stubborn(folder: Path, ready: Connection) -> None:
    """Does not end with SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / str(os.getpid())).touch()
    ready.send("ready")
    time.sleep(FOREVER)


def first_only(folder: Path, ready: Connection) -> None:
    """Is ready the first time; later ones end at once."""
    if len(list(folder.iterdir())) > 0:
        (folder / str(os.getpid())).touch()
        sys.exit(4)
    steady(folder, ready)


def never(_folder: Path, _ready: Connection) -> None:
    """Ends before it is ready."""
    sys.exit(17)
