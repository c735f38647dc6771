"""Answers a request and leaves the account of it, in one thread: to wake another costs more than the record does."""

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Final

from wardround.cds.exchange import Answer, Request, Result
from wardround.cds.http.audit import Asked, Audit
from wardround.cds.http.metrics import Metrics
from wardround.cds.problems import Problem
from wardround.cds.turns import Turns
from wardround.errors import StorageError, WardroundError, named

LATER: Final = {"Retry-After": "30"}
"""When to come again if something that answers need cannot be used."""

_LOG = logging.getLogger(__name__)


class Waiting:
    """Somebody who waits for an answer. Their thread and the event loop agree here on who gives it, and that once."""

    def __init__(self) -> None:
        self._over = False
        self._given = Lock()

    def is_over(self) -> bool:
        """Returns whether nobody waits any more."""
        return self._over

    def end(self) -> None:
        """Says that nobody waits any more."""
        self._over = True

    def give(self) -> bool:
        """Returns whether the answer is the caller's to give and to record; it is the first one's who asks."""
        return self._given.acquire(blocking=False)


class Accounted:
    """The door's `answer`, whose answers are recorded; without `record`, no score is handed on to the FHIR record."""

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        audit: Audit,
        metrics: Metrics,
        record: Callable[[Result], None] | None,
    ) -> None:
        self._answer = answer
        self._audit = audit
        self._metrics = metrics
        self._record = record
        self._turns = Turns()

    def answered(self, request: Request, asked: Asked, waiting: Waiting) -> tuple[Answer, Asked]:
        """Returns the answer, and the record of it, which is written unless somebody else has given an answer."""
        with self._turns.taken() as turn:
            try:
                answer = self._answer(replace(request, while_waiting=turn.interrupted))
            except Exception as error:  # noqa: BLE001 - a request must be answered, whatever it is
                answer = answer_to(error, asked.kind)
            # What nobody waits for any more is nobody's answer, so it does not belong into the record.
            result = None if waiting.is_over() else answer.result
            recorded = replace(asked, status=answer.status, call=answer.call)
            if waiting.give():
                self.keep(recorded)
                if result is not None and self._record is not None:
                    self._record(result)
            return answer, recorded

    def keep(self, asked: Asked) -> None:
        """Writes the audit record. A score is not held back for one that cannot be written, but it is counted."""
        try:
            self._audit.record(asked)
        except StorageError:  # which the audit logs
            self._metrics.audit_failure()


def answer_to(error: Exception, kind: str) -> Answer:
    """Returns what is said of an error, and logs what is not the caller's; its message may quote a patient."""
    if isinstance(error, Problem):
        return error.answer()
    if isinstance(error, WardroundError):
        _LOG.error("%s: %s", kind, error)
        return Problem(503, "something that the answer needs cannot be used; see the log", LATER).answer()
    _LOG.error("%s: %s", kind, named(error))
    return broken()


def broken() -> Answer:
    """Returns the answer to what the program fails at."""
    return Problem(500, "the service failed; its log has the reason").answer()
