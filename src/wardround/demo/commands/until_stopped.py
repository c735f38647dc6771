"""What commands have in common that run until somebody stops them."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wardround.cli.results import say


@contextmanager
def until_stopped() -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end the block, and then the process, with exit code 0."""
    # Service managers send SIGTERM, the keyboard sends SIGINT. Both must stop us, even if a shell had them ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        say("Stopped")
        sys.exit(0)


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Makes a signal unwind the process as Ctrl-C does."""
    raise KeyboardInterrupt
