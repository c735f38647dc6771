"""Defines how a task reports its progress: in counted steps, or in words."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Called with a step's name, the number of units done, and the total number of units."""

    def __call__(self, step: str, done: int, total: int, /) -> None: ...


Say = Callable[[str], None]
"""Called with a description of what is about to start."""
