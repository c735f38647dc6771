"""Logs that something cannot be used once, when that begins, and once when it ends, with how many it has cost."""

import logging
from threading import Lock

_LOG = logging.getLogger(__name__)


class Outage:
    """The state of one thing that calls use, from any thread."""

    def __init__(self, what: str, cost: str) -> None:
        """Begins with a thing that can be used.

        Args:
            what: names it, such as "the database".
            cost: what was not done meanwhile, in the plural, after a number.
        """
        self._what = what
        self._cost = cost
        self._cost_so_far = 0
        self._lock = Lock()

    def goes_on(self, why: str) -> None:
        """Counts something that was not done; the first of an outage is logged, with the reason (no patient's)."""
        with self._lock:
            self._cost_so_far += 1
            first = self._cost_so_far == 1
        if first:
            _LOG.error("%s cannot be used: %s; it is logged again when it can", self._what, why)

    def ended(self) -> None:
        """Says, after an outage, that the thing can be used again, and what it has cost."""
        with self._lock:
            cost, self._cost_so_far = self._cost_so_far, 0
        if cost:
            _LOG.warning("%s can be used again; meanwhile, %d %s", self._what, cost, self._cost)
