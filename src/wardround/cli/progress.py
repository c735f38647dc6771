"""Shows progress on stderr: one bar per step on a terminal, otherwise one line when a step has ended."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wardround.cli.results import say
from wardround.core.progress import Progress


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Yields a function to call with a step's name, the units done and the total number of units."""
    if not sys.stderr.isatty():
        yield _say_when_done
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def update(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step.replace("_", " "), total=total)
            bars.update(tasks[step], completed=done)

        yield update


def _say_when_done(step: str, done: int, total: int) -> None:
    if done == total:
        say(f"{step.replace('_', ' ')}: {done:,} of {total:,}")
