"""Tells the C library what to do with memory that a process has freed; nothing happens where it is not glibc."""

import ctypes
from typing import Final

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_BUFFER: Final = 1 << 20
_LARGE: Final = 64 << 10
_TOP: Final = 128 << 10
_TOP_FOR_CALLS: Final = 16 << 20


def tune_glibc() -> None:
    """Makes glibc return large buffers to the system when they are freed, and share one heap between threads."""
    _set(_M_MMAP_THRESHOLD, _LARGE_BUFFER)
    _set(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Lets glibc give back to the system what it still holds of freed memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def give_back_large_blocks() -> None:
    """Makes the C library give each block of 64 KB or more back to the system as soon as it is free.

    By itself it stops doing so once such a block has been freed. asyncio reads into blocks of 256 KB, of which what
    arrived is kept for a moment: then each message leaves a hole of some hundred bytes.
    """
    _set(_M_MMAP_THRESHOLD, _LARGE)
    _set(_M_TRIM_THRESHOLD, _TOP)


def keep_for_the_next_call() -> None:
    """Makes the C library keep the last 16 MB that calls have used, and not give them back to the system each time.

    The system clears what it gets back: that was a hundred pages for each call of 180 KB, a tenth of its processor
    time.
    """
    _set(_M_TRIM_THRESHOLD, _TOP_FOR_CALLS)


def _set(setting: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(setting, value)
