"""Turns refusals of the operating system into our own errors: the path, the cause and what to do about it."""

import errno
import getpass
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wardround.errors import StorageError

_FREE: Final = "free some space or choose another place, then try again"
_ALLOW: Final = "allow the user {user} to write there, or choose another place"
_TAKEN: Final = "choose another place, or move what is there"
_CAUSES: Final = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("this user's quota is used up", _FREE),
    errno.EFBIG: ("the file is larger than is allowed", "raise the limit (ulimit -f), or choose another place"),
    errno.EROFS: ("the file system is read-only", "mount it for writing, or choose another place"),
    errno.EIO: ("the disk has failed", "check the system log, or choose another place"),
    errno.EACCES: ("no permission", _ALLOW),
    errno.EPERM: ("no permission", _ALLOW),
    errno.ENOTDIR: ("there is a file where a folder is expected", _TAKEN),
    errno.EEXIST: ("there is a file where a folder is expected", _TAKEN),
    errno.EISDIR: ("there is a folder where a file is expected", _TAKEN),
    errno.ENOTEMPTY: ("there is a folder that is not empty", _TAKEN),
    errno.ENAMETOOLONG: ("the name is too long", "choose another place"),
    errno.ELOOP: ("symbolic links form a loop", "choose another place"),
    errno.ENOLCK: ("the file system does not support locks", "choose a place on a file system that supports locks"),
    errno.ESTALE: ("the network file system no longer has it", "mount it again, or choose another place"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many files are open on this machine", "close other programs"),
}
# Errors of a write or a read itself, which therefore name no path.
_NAMELESS: Final = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO),
    *(errno.ENOLCK, errno.ESTALE, errno.EMFILE, errno.ENFILE),
}


_OF_SQLITE: Final = {
    sqlite3.SQLITE_FULL: ("the disk is full", _FREE),
    sqlite3.SQLITE_IOERR: ("the disk is full or has failed", _FREE),
    sqlite3.SQLITE_READONLY: ("no permission, or the file system is read-only", _ALLOW),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check its folder and the permissions, or choose another place"),
    sqlite3.SQLITE_PERM: ("no permission", _ALLOW),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", _TAKEN),
    sqlite3.SQLITE_CORRUPT: ("is a damaged SQLite database", _TAKEN),
}


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Raises StorageError if the operating system refuses `place`, something in it, or the way to it.

    Other errors inside (of a server, of another file) are raised unchanged.
    """
    try:
        yield
    except OSError as error:
        if not _is_about(error, place):
            raise
        raise refused(place, error) from None


def refused(place: Path | str, error: Exception) -> StorageError:
    """Returns our error for one of the operating system's, or of an object store's."""
    number = getattr(error, "errno", None) or 0
    return _error(place, *_CAUSES.get(number, (f"refused ({type(error).__name__})", "check the place")))


@contextmanager
def storing_rows(database: Path) -> Iterator[None]:
    """Raises StorageError if SQLite cannot use its file: SQLite describes the error in words, and names no path."""
    with storing(database):
        try:
            yield
        except sqlite3.DatabaseError as error:
            ours = refused_rows(database, error)
            if ours is None:
                raise
            raise ours from None


def refused_rows(database: Path, error: sqlite3.DatabaseError) -> StorageError | None:
    """Returns our error for a SQLite error that is about its file; None for any other."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits give details
    return _error(database, *_OF_SQLITE[code]) if code in _OF_SQLITE else None


def is_of_storage(error: OSError) -> bool:
    """Returns whether an error is about a file or its disk, even if it names none."""
    return error.errno in _NAMELESS


def _error(place: Path | str, cause: str, remedy: str) -> StorageError:
    return StorageError(f"{place}: {cause}, expected to read and write there; {remedy.format(user=_user())}")


def _is_about(error: OSError, place: Path) -> bool:
    if error.errno not in _CAUSES:
        return False
    if not isinstance(error.filename, str | bytes):
        return error.errno in _NAMELESS
    named = Path(os.fsdecode(error.filename))
    beside = named.parent == place.parent and named.name.startswith(f".{place.name}")  # while it is being written
    return beside or named.is_relative_to(place) or place.is_relative_to(named)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number but no name
        return str(os.getuid())
