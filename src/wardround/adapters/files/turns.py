"""Makes runs that would write the same results take turns, across all processes that share a folder.

The tasks of one run do not wait for each other. Some servers do not keep their promises about conditional writes, and
two simultaneous runs would write twice. A run that is killed keeps no other waiting.
"""

import json
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from wardround.adapters.files.file_lock import lock, locked, try_lock
from wardround.adapters.files.refused import storing

_GATE: Final = "gate.lock"

_LOG = logging.getLogger(__name__)


@contextmanager
def turn(folder: Path, server: str, what: Sequence[str], run: str) -> Iterator[None]:
    """Waits until no other run writes `what` to this server, and makes others wait meanwhile.

    Callers that name the same run do not wait for each other: the chunks of a run write in parallel. Raises
    StorageError.
    """
    home = folder / _digest([server.rstrip("/")])
    with storing(home / _GATE):
        home.mkdir(parents=True, exist_ok=True)
    mine = home / f"{_digest(what)}-{run}.lock"
    try:
        with _entered(home, mine, others=f"{_digest(what)}-*.lock"):
            yield
    finally:
        with locked(home / _GATE):
            _remove_if_left(mine)


@contextmanager
def alone(folder: Path, server: str, what: Sequence[str]) -> Iterator[None]:
    """Waits until no other process or thread writes `what` to this server, and makes all others wait meanwhile."""
    with turn(folder, server, what, secrets.token_hex(8)):
        yield


@contextmanager
def _entered(home: Path, mine: Path, others: str) -> Iterator[None]:
    """Waits until none of the `others` is held, then holds a share of `mine`."""
    began = 0.0
    while True:
        with locked(home / _GATE):  # one process at a time checks, enters, or cleans up
            busy = next((other for other in home.glob(others) if other != mine and not _remove_if_left(other)), None)
            if busy is None:
                with storing(mine):
                    file = mine.open("a+")
                    lock(file, shared=True)
                break
        if not began:
            began = time.monotonic()
            _LOG.info("another run is writing the same results to this server; waiting")
        _wait_for(busy)
    with file:
        if began:
            _LOG.info("waited %.1f s for the other run", time.monotonic() - began)
        yield


def _remove_if_left(held: Path) -> bool:
    """Returns whether the file is not held, and then removes it: its holders may have been killed."""
    with held.open("a+") as file:
        free = try_lock(file)
        if free:
            held.unlink(missing_ok=True)
    return free


def _wait_for(held: Path) -> None:
    """Waits until the file is free, or for a moment; if another run takes it first, the check at the gate finds out."""
    try:
        with held.open("r+") as file:
            lock(file)
    except FileNotFoundError:
        return


def _digest(parts: Sequence[str]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()[:32]
