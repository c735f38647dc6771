"""Keeps the memory of a process flat that runs for months."""

import ctypes
from typing import Final

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 64 << 10
_TOP: Final = 128 << 10


def give_back_large_blocks() -> None:
    """Makes the C library give each block of 64 KB or more back to the system as soon as it is free.

    By itself it stops doing so once such a block has been freed. asyncio reads into blocks of 256 KB, of which what
    arrived is kept for a moment: then each message leaves a hole of some hundred bytes. Does nothing where the C
    library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _TOP)
