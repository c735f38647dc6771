"""A step of a run in the log: that it began, what it coped with, what it counted, and how it ended.

Modules that see patient values give their counts to a Step and never log themselves. A Step accepts whole numbers,
reasons and names of errors: nothing that a patient or a server wrote.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from wardround.core.stay_reasons import Reason
from wardround.errors import named

_LOG = logging.getLogger(__name__)


class Step:
    """Collects what the log says about a step."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._figures: list[str] = []
        self.level = logging.INFO

    def count(self, **figures: int) -> None:
        """Adds figures to the last line, such as `stays=32`."""
        self._figures += [f"{name.replace('_', ' ')} {number}" for name, number in figures.items()]

    def name(self, **ours: str) -> None:
        """Adds something that was chosen or made, by one of our names, such as `version=1.0.0-abc`."""
        self._figures += [f"{what} {name}" for what, name in ours.items()]

    def count_reasons(self, what: str, reasons: Iterable[str] | Mapping[str, int]) -> None:
        """Adds the total and the number per reason; reasons are given one by one, or counted."""
        counted: Counter[str] = Counter()
        for reason, number in Counter(reasons).items():
            counted[_in_short(Reason.of(reason))] += number
        each = ", ".join(f"{reason} {number}" for reason, number in sorted(counted.items()) if reason and number)
        self._figures.append(f"{what} {counted.total()}" + (f" ({each})" if each else ""))

    def count_failed(self, reasons: Iterable[Reason]) -> None:
        """Adds how many stays failed in the step, and why; if there are any, the last line is a warning."""
        counted = Counter(map(str, reasons))
        self.count_reasons("failed", counted)
        if counted.total():
            self.level = logging.WARNING

    def warn(self, what: str, error: BaseException | None = None) -> None:
        """Logs a warning at once, in our words, about something that went wrong but did not stop the step."""
        _LOG.warning("%s: %s%s", self._where, what, f" ({named(error)})" if error else "")

    @property
    def summary(self) -> str:
        return "; ".join(self._figures)


def _in_short(reason: Reason) -> str:
    """Leaves out the detail from a library, which stays in the ledger."""
    return str(reason) if reason.failed_at is None or reason.is_short else reason.failed_at


@contextmanager
def logged(run: str, name: str, chunk: int | None = None, place: Callable[[], str] = lambda: "") -> Iterator[Step]:
    """Logs the beginning and end of the step; an error only by type and place, because its message is shown elsewhere.

    `place` is called at the end and returns where the report of the run is; "" if there is none yet.
    """
    where = f"{run}, {name}" + ("" if chunk is None else f", chunk {chunk}")
    step, began = Step(where), monotonic()
    _LOG.info("%s: begins", where)
    try:
        yield step
    except Exception as error:
        _LOG.error("%s: failed after %.1f s (%s)", where, monotonic() - began, named(error))
        raise
    figures, report = step.summary or "nothing to count", place()
    seen = f"{figures}; report {report}" if report else figures
    _LOG.log(step.level, "%s: done in %.1f s; %s", where, monotonic() - began, seen)
