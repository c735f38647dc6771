"""Settings of this process for one screening, found by measuring 1,000 and 10,000 stays."""

import ctypes
import gc
from typing import Final

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE: Final = 2**20  # bytes


def suit_the_process() -> None:
    """To be called before anything heavy is imported: the memory of a screening then does not grow with its ward."""
    # A page of results is a million small objects, all in use: looking for garbage every 700 takes half the time.
    gc.set_threshold(1_000_000, 10, 10)
    _suit_glibc()
    import pyarrow

    # Arrow's own allocator keeps 40 MiB that are no longer used.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def _suit_glibc() -> None:
    """Large buffers go back to the system when they are freed, and threads share a heap instead of filling one each."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has its own ways
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 1)
