"""What a message gets as it arrives: it is stored, or not, and answered by what became of it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from secrets import token_hex
from time import monotonic
from typing import Final, Literal, Protocol

from wardround.adapters.mllp.framing import Frame
from wardround.adapters.mllp.listener import Answer
from wardround.adapters.outage import Outage
from wardround.adapters.queue.intake import NotNow
from wardround.adapters.queue.message import Put
from wardround.errors import DatabaseError, StorageError
from wardround.hl7.acknowledgement import Contract, Verdict, acknowledgements, codes
from wardround.hl7.header import header_of
from wardround.spec.stream import StreamSource
from wardround.stream.metrics import ACKNOWLEDGED, ACKNOWLEDGED_SECONDS, RECEIVED, Metrics
from wardround.stream.raw import raw
from wardround.stream.refusal import Refusal, refusal_of
from wardround.stream.runner import utc_now

STORED_WITHIN: Final = 3.0
"""How many seconds a message may take to be stored; engines wait 5 to 30 for an answer."""
_IN_TROUBLE: Final = 30.0  # seconds after a failure: then only another message can tell whether it has passed

Became = Literal["new", "repeated", "not_stored"] | Refusal

_VERDICTS: Final[dict[Became, Verdict]] = {
    "new": Verdict.STORED,
    "repeated": Verdict.STORED,
    "not_stored": Verdict.CANNOT_STORE,
    "too_large": Verdict.TOO_LARGE,
    "no_header": Verdict.NO_HEADER,
    "other_processing_id": Verdict.OTHER_PROCESSING_ID,
}


class Store(Protocol):
    """Where messages are stored: `adapters.queue.intake.Intake`."""

    def offer(self, put: Put) -> "Future[bool]":
        """Returns what has a result when the message is on disk: whether it is new."""


class Reception:
    """The reception of one source."""

    def __init__(
        self,
        name: str,
        source: StreamSource,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], datetime] = utc_now,
        within: float = STORED_WITHIN,
    ) -> None:
        self._name = name
        self._source = source
        self._contract = Contract(source.acknowledge, source.unstored)
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._within = within
        self._failed: tuple[float, str] | None = None
        self._outage = Outage(f"stream: the store, for source {name},", "messages were refused, to be sent again")

    def trouble(self) -> str:
        """Returns why the last message could not be stored, if that was a moment ago; else ""."""
        failed = self._failed
        return failed[1] if failed and monotonic() < failed[0] + _IN_TROUBLE else ""

    async def answer(self, frame: Frame) -> Answer:
        """Stores a message and returns its answer.

        Where a message was not stored and its sender wants no answer, the connection is closed: silence would say that
        it was.
        """
        began = monotonic()
        header = header_of(frame.body)
        became: Became = refusal_of(header, frame.is_whole, self._source) or await self._stored(frame.body)
        self._metrics.add(RECEIVED, source=self._name, became=became)
        verdict = _VERDICTS.get(became)
        if verdict is None:  # an acknowledgement: two systems that answer these would talk for ever
            return Answer(())
        bodies = acknowledgements(header, verdict, self._contract, token_hex(8), self._clock())
        for code in codes(header, verdict, self._contract):
            self._metrics.add(ACKNOWLEDGED, source=self._name, code=code)
        self._metrics.took(ACKNOWLEDGED_SECONDS, monotonic() - began, source=self._name)
        return Answer(bodies, closes=verdict is not Verdict.STORED and not bodies)

    async def _stored(self, body: bytes) -> Became:
        offered = asyncio.wrap_future(self._store.offer(raw(body, self._name, self._clock())))
        try:
            async with asyncio.timeout(self._within):
                is_new = await offered
        except TimeoutError:
            return self._not_stored(f"a message was not stored within {self._within:g} s")
        except NotNow as error:
            self._outage.goes_on(str(error))
            return "not_stored"
        except (StorageError, DatabaseError) as error:
            return self._not_stored(str(error))
        self._failed = None
        self._outage.ended()
        return "new" if is_new else "repeated"

    def _not_stored(self, why: str) -> Became:
        self._failed = monotonic(), why
        self._outage.goes_on(why)
        return "not_stored"
