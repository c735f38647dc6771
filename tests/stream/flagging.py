"""A queue whose messages only the stage `flag` handles, and what there is afterwards."""

from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

from sqlalchemy import select
from tests.adt.ward import FEED, NOON

from wardround.adapters.database.tables import STREAM_MESSAGE, STREAM_VISIT
from wardround.adapters.database.visits import census_of
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import Done, Message, Put
from wardround.adapters.queue.queue import Queue
from wardround.adt.census import census
from wardround.spec.branches import Branch
from wardround.spec.stream import StreamSource
from wardround.stream.branches import Way
from wardround.stream.flag import Flag
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.visit_keys import visit_in

PSEUDONYMS = Pseudonyms(b"a key for tests")
LEASE = timedelta(seconds=15)
HOURS = (timedelta(), timedelta(hours=1), timedelta(hours=6))


def source(**changed) -> StreamSource:
    """Returns the settings of the feed of tests/adt/ward.py."""
    given = {
        "fhir": "http://127.0.0.1:9/fhir",
        "time_zone": "Europe/Berlin",
        "patients": FEED.patients,
        "visits": FEED.visits,
        "units": FEED.watched,
        "classes": FEED.classes,
    }
    return StreamSource(**given | changed)


def ways(condition, *branches: Branch) -> dict[str, Way]:
    found = [Way(condition, one) for one in branches or (Branch(id="every", at=HOURS),)]
    return {way.name: way for way in found}


class Row(NamedTuple):
    """A message of a later stage."""

    stage: str
    branch: str
    outcome: str | None
    due: datetime
    as_of: datetime | None
    origin: int


def following(message: Message, stage: str) -> Put:
    """Returns what a later stage puts for the next one."""
    handed_down = (message.received, message.source, message.branch, message.origin, message.as_of)
    key = visit_in(message.key) if stage == "notify" else message.key
    return Put(stage, key, b"of " + stage.encode(), f"{message.seq}", message.received, *handed_down)


class Flagging:
    """The stage at work on a queue of its own."""

    def __init__(self, queue: Queue, given: dict[str, Way], sources: dict[str, StreamSource] | None = None) -> None:
        self.queue, self.ways = queue, given
        self.sources = sources or {"main": source()}
        self.stage = Flag(queue, self.sources, given, PSEUDONYMS)
        self.now = NOON
        self._numbers = count()
        self._runner = Runner(self.stage, queue, StageMetrics("flag", Metrics()), lambda: self.now)

    def put(self, *bodies: bytes, received: datetime = NOON, source: str = "main") -> list[bool]:
        return self.queue.put(
            [Put("flag", "adt", body, f"{next(self._numbers)}", received, received, source) for body in bodies]
        )

    def take(self, *bodies: bytes, received: datetime = NOON, source: str = "main") -> list[tuple[str, str]]:
        """Puts messages and flags them; returns outcome and reason of all that were flagged so far."""
        self.put(*bodies, received=received, source=source)
        while self._runner.step():
            pass
        return self.outcomes()

    def outcomes(self) -> list[tuple[str, str]]:
        message = STREAM_MESSAGE.c
        asked = select(message.outcome, message.reason).where(message.run == self.queue.run, message.stage == "flag")
        with self.queue.database.reading() as connection:
            return [tuple(row) for row in connection.execute(asked.order_by(message.seq))]

    def seqs(self) -> list[int]:
        """Returns the numbers of the raw messages."""
        message = STREAM_MESSAGE.c
        asked = select(message.seq).where(message.run == self.queue.run, message.stage == "flag").order_by(message.seq)
        with self.queue.database.reading() as connection:
            return list(connection.execute(asked).scalars())

    def rows(self, *stages: str) -> list[Row]:
        """Returns what there is for later stages, in order."""
        message = STREAM_MESSAGE.c
        asked = select(*(message[name] for name in Row._fields)).where(message.run == self.queue.run)
        asked = asked.where(message.stage.in_(stages or ("query", "predict", "notify"))).order_by(message.seq)
        with self.queue.database.reading() as connection:
            return [Row(*row) for row in connection.execute(asked)]

    def passed_on(self, stage: str, to: str, outcome: str = "done") -> list[Message]:
        """Lets a later stage have finished all that is due, each with a message to the next stage; returns them."""
        taken = self.queue.take(stage, 100, LEASE, self.now)
        self.queue.finish([Done(one, outcome, outputs=(following(one, to),)) for one in taken], self.now)
        return taken

    def census(self, name: str = "main") -> list[tuple[str, str, str]]:
        """Returns unit, visit and patient of who lies in a watched unit."""
        with self.queue.database.reading() as connection:
            known = census_of(connection, self.queue.run, name)
        found = census(known, self.stage._feeds[name])
        return [(one.visit.location.unit, one.visit.number.value, one.patient.value) for one in found]

    def keys(self) -> list[str]:
        visit = STREAM_VISIT.c
        with self.queue.database.reading() as connection:
            return list(connection.execute(select(visit.key).where(visit.run == self.queue.run)).scalars())
