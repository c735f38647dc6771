"""Writes the scores of calls to the record, as a screening writes its own, after their answers (decision 54).

Answers never wait for it: what is to be written stands in a queue of limited length, and one thread writes. Every
result that was queued, or found no place there, is told of once: written, or why not. It sees patient values; it never
logs them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Final

from wardround import __version__
from wardround.adapters.outage import Outage
from wardround.cds.exchange import Became, Call, Result
from wardround.cds.servers import Servers
from wardround.errors import named
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.deadline import Deadline
from wardround.fhir.endpoint import shown
from wardround.fhir.patience import Patience
from wardround.fhir.wire import HurriedAnswers
from wardround.results import fhir_validity
from wardround.results.amendment import is_withdrawn
from wardround.results.risk_assessment import BEDSIDE, Screening, identity
from wardround.settings import Settings
from wardround.workflows.live_models import Live
from wardround.workflows.screen.taking_turns import alone
from wardround.workflows.screen.write_results import Performers, write_results
from wardround.workflows.screen.written import Written

MOST_WAITING: Final = 256
"""Results that may wait; at one to a few hundred milliseconds each, the last of them waits for a minute."""
_SECONDS: Final = 30.0  # for all requests about one result together
_RETRIES: Final = 1
_STOP_SECONDS: Final = 1.0  # a worker that stops has ten, and eight of them are for the calls in hand

Tell = Callable[[Call, Became, str], None]
"""Is told of a call what became of its result, and why; it may be called from several threads."""


@dataclass(frozen=True)
class Record:
    """Takes results to be written, from any thread.

    Attributes:
        settings: of the installation.
        servers: those that results are of.
        live: whether a condition is suspended now.
        tell: is told what became of each.
    """

    settings: Settings
    servers: Servers
    live: Live
    tell: Tell

    @contextmanager
    def writing(self) -> Iterator["Writing"]:
        """Writes in a thread of its own until the block ends; then it has a second for what is waiting."""
        fhir_validity.prepare()
        work = Writing(self)
        thread = Thread(target=work.run, name="cds-record", daemon=True)
        thread.start()
        try:
            yield work
        finally:
            work.stop()
            thread.join(_STOP_SECONDS)
            work.leave()


class Writing:
    """The queue, and the work of its thread."""

    def __init__(self, record: Record, most: int = MOST_WAITING) -> None:
        self._record = record
        self._waiting: Queue[Result | None] = Queue(most)  # None: there is nothing more
        self._stopping = Event()
        self._left = Event()
        self._in_hand: Result | None = None
        self._lock = Lock()
        self._performers = Performers(record.settings)
        self._connections = HurriedAnswers(pool_maxsize=2)
        self._outage = Outage("the record", "results were not written")

    def offer(self, result: Result) -> None:
        """Queues a result. If there is no place for it, that is told instead."""
        try:
            if self._stopping.is_set():
                raise Full
            self._waiting.put_nowait(result)
        except Full:
            self._record.tell(result.call, "stopped" if self._stopping.is_set() else "queue_full", "")

    def run(self) -> None:
        """Writes what is waiting until it is told to stop, and then what still waits."""
        while not (self._left.is_set() or (self._stopping.is_set() and self._waiting.empty())):
            result = self._waiting.get()
            if result is None:
                continue
            if not self._taken(result):
                return
            became, why = self._written(result)
            self._done(result, became, why)

    def stop(self) -> None:
        """Takes nothing more."""
        self._stopping.set()
        # Wakes the thread if it is idle; if the queue is full, it is not.
        with suppress(Full):
            self._waiting.put_nowait(None)

    def leave(self) -> None:
        """Tells of what was not written in time. A write that is under way may still succeed; nobody waits for it."""
        with self._lock:
            self._left.set()
            left = [self._in_hand]
            self._in_hand = None
        with suppress(Empty):
            while True:
                left.append(self._waiting.get_nowait())
        for result in left:
            if result is not None:
                self._record.tell(result.call, "stopped", "")

    def _taken(self, result: Result) -> bool:
        """Takes a result in hand, unless it is too late for that; then that is told."""
        with self._lock:
            late = self._left.is_set()
            self._in_hand = None if late else result
        if late:
            self._record.tell(result.call, "stopped", "")
        return not late

    def _done(self, result: Result, became: Became, why: str) -> None:
        with self._lock:
            if self._in_hand is not result:
                return  # somebody has told already that it was not waited for
            self._in_hand = None
        self._record.tell(result.call, became, why)

    def _written(self, result: Result) -> tuple[Became, str]:
        """Returns what became of a result, and why, in a word without anything of a patient."""
        # The last check before it is in the record, however long it has waited.
        if self._record.live.of(result.condition.id).suspended:
            return "suspended", ""
        try:
            became, why = self._attempt(result)
        except Exception as error:  # noqa: BLE001 - whatever a server may break, the next result is written
            # The message may name a stay, and the log of this door names none.
            self._outage.goes_on(f"{shown((result.source.write_to or result.source).base_url)}: {named(error)}")
            return "failed", type(error).__name__
        self._outage.ended()
        return became, why

    def _attempt(self, result: Result) -> tuple[Became, str]:
        """Writes a result with its Provenance, unless the record has it. Raises FhirError, StorageError."""
        deadline = Deadline(self._connections, _SECONDS)
        patience = Patience(_RETRIES, pause=deadline.pause)
        source = self._record.servers.suited(result.source, deadline, patience)
        if source.write_to is not None:
            source = replace(source, write_to=self._record.servers.suited(source.write_to, deadline, patience))
        screening = _screening(result, self._record.settings)
        account, stay = Written(to_write=1), result.assessment.stay_id
        with FhirClient(source, deadline, patience) as client:
            performer = self._performers.of(screening, client.results)
            mine = identity(screening, stay)
            # Some servers do not keep their promises about conditional writes.
            with alone(client.results, [mine], self._record.settings):
                if there := _already(mine, client.results):
                    return there, ""
                write_results(
                    [result.assessment],
                    screening,
                    client,
                    account,
                    by_identifier=source.map_by_identifier,
                    performer=performer,
                    keep=lambda _about: None,
                )
        if stay in account.failed:
            return "failed", account.failed[stay].word
        return ("withdrawn" if stay in account.withdrawn else "written"), ""


def _already(mine: str, client: FhirClient) -> Became | None:
    """Returns what became of a result whose like the record has, by its identifier; None if there is work to do."""
    held = risk_assessments.held(client, [mine], risk_assessments.JUDGED).get(mine, [])
    if held and all(map(is_withdrawn, held)):
        # Also if `wardround retract` has: what was just taken back does not come back with the next opening.
        return "withdrawn"
    if len(held) != 1:
        return None
    whole = risk_assessments.with_provenance(client, [f"RiskAssessment/{held[0].get('id')}"])
    return "repeated" if whole else None


def _screening(result: Result, settings: Settings) -> Screening:
    return Screening(
        source_url=result.source.base_url,
        condition=result.condition,
        model_version=result.call.model_version,
        software_version=__version__,
        as_of=result.call.as_of,
        horizon=result.horizon,
        percent=settings.percent,
        elsewhere=result.source.write_to is not None,
        door=BEDSIDE,
        rests_on=result.rests_on,
    )
