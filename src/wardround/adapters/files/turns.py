"""Runs that would write the same take turns, among all processes that share a folder; the tasks of one run do not.

Some servers do not keep what they promise of conditional writes, and then two runs at once would write twice. The locks
are on files, which the operating system gives back when a process ends, however it ends. They hold on one machine,
and over several as far as they share the folder through a file system that locks for all of them (NFS does).
"""

import fcntl
import json
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from wardround.adapters.files.refused import storing

_GATE: Final = "gate.lock"

_LOG = logging.getLogger(__name__)


@contextmanager
def turn(folder: Path, server: str, what: Sequence[str], run: str) -> Iterator[None]:
    """Waits until no other run writes `what` to this server, and keeps others waiting meanwhile.

    Whoever names the same run goes along: the chunks of one write side by side. Raises StorageError.
    """
    home = folder / _digest([server.rstrip("/")])
    with storing(home / _GATE):
        home.mkdir(parents=True, exist_ok=True)
    mine = home / f"{_digest(what)}-{run}.lock"
    try:
        with _entered(home, mine, others=f"{_digest(what)}-*.lock"):
            yield
    finally:
        with _gate(home):
            _remove_if_left(mine)


@contextmanager
def alone(folder: Path, server: str, what: Sequence[str]) -> Iterator[None]:
    """Waits until nobody else writes `what` to this server, and keeps everybody waiting meanwhile."""
    with turn(folder, server, what, secrets.token_hex(8)):
        yield


@contextmanager
def _entered(home: Path, mine: Path, others: str) -> Iterator[None]:
    """Holds a share of `mine` from when nobody holds one of the `others`."""
    began = 0.0
    while True:
        with _gate(home):
            busy = next((other for other in home.glob(others) if other != mine and not _remove_if_left(other)), None)
            if busy is None:
                with storing(mine):
                    file = mine.open("a+")
                fcntl.flock(file, fcntl.LOCK_SH)
                break
        if not began:
            began = time.monotonic()
            _LOG.info("another run writes the same results to this server; waiting")
        _wait_for(busy)
    with file:
        if began:
            _LOG.info("waited %.1f s for the other run", time.monotonic() - began)
        yield


@contextmanager
def _gate(home: Path) -> Iterator[None]:
    """One at a time looks who is there, enters, or tidies up."""
    with storing(home / _GATE):
        file = (home / _GATE).open("a+")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_if_left(held: Path) -> bool:
    """Whether nobody holds the file, which is removed then: those who did may have been killed."""
    try:
        with held.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    return True


def _wait_for(held: Path) -> None:
    """Until nobody holds the file, or for a moment; whoever comes first after that is found out at the gate."""
    try:
        with held.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
    except FileNotFoundError:
        return


def _digest(parts: Sequence[str]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()[:32]
