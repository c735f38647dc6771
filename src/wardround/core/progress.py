"""How work says how far it is: in steps that are counted, or in words."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Is told a step's name, how many of its units are done, and how many there are in all."""

    def __call__(self, step: str, done: int, total: int, /) -> None: ...


Say = Callable[[str], None]
"""Is told in words what begins."""
