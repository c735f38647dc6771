"""A step of a run as its log tells it: that it began, what it coped with, what it counted, how it ended.

Modules that see patient values hand what they counted to a Step and never log themselves. It takes whole numbers,
reasons and what an error is called: nothing that a patient or a server wrote.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from wardround.core.reasons import Reason
from wardround.errors import named

_LOG = logging.getLogger(__name__)


class Step:
    """What a step tells of itself."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._figures: list[str] = []
        self.level = logging.INFO

    def count(self, **figures: int) -> None:
        """Figures for the line at the end, such as `stays=32`."""
        self._figures += [f"{name.replace('_', ' ')} {number}" for name, number in figures.items()]

    def name(self, **ours: str) -> None:
        """What was chosen or made, by a name of ours, such as `version=1.0.0-abc`."""
        self._figures += [f"{what} {name}" for what, name in ours.items()]

    def count_reasons(self, what: str, reasons: Iterable[str] | Mapping[str, int]) -> None:
        """How many there are in all, and of each reason; given one by one, or counted."""
        counted: Counter[str] = Counter()
        for reason, number in Counter(reasons).items():
            counted[_in_short(Reason.of(reason))] += number
        each = ", ".join(f"{reason} {number}" for reason, number in sorted(counted.items()) if reason and number)
        self._figures.append(f"{what} {counted.total()}" + (f" ({each})" if each else ""))

    def count_failed(self, reasons: Iterable[Reason]) -> None:
        """Of how many stays the step failed, and why; with any, its last line is a warning."""
        counted = Counter(map(str, reasons))
        self.count_reasons("failed", counted)
        if counted.total():
            self.level = logging.WARNING

    def warn(self, what: str, error: BaseException | None = None) -> None:
        """Says at once, as a warning, what went wrong without costing the step, in words of ours."""
        _LOG.warning("%s: %s%s", self._where, what, f" ({named(error)})" if error else "")

    @property
    def told(self) -> str:
        return "; ".join(self._figures)


def _in_short(reason: Reason) -> str:
    """Without what a library says: that stays in the ledger."""
    return str(reason) if reason.failed_at is None or reason.is_short else reason.failed_at


@contextmanager
def told(run: str, name: str, chunk: int | None = None, place: Callable[[], str] = lambda: "") -> Iterator[Step]:
    """Logs that the step begins, and how it ends; an error as what it is and where, for whoever ends says it whole.

    `place` is asked at the end where the report of the run is; "" says that there is none yet.
    """
    where = f"{run}, {name}" + ("" if chunk is None else f", chunk {chunk}")
    step, began = Step(where), monotonic()
    _LOG.info("%s: begins", where)
    try:
        yield step
    except Exception as error:
        _LOG.error("%s: failed after %.1f s (%s)", where, monotonic() - began, named(error))
        raise
    figures, report = step.told or "nothing to count", place()
    seen = f"{figures}; report {report}" if report else figures
    _LOG.log(step.level, "%s: done in %.1f s; %s", where, monotonic() - began, seen)
