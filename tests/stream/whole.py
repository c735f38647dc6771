"""The whole stream over real sockets, with the simulated hospital before it, and a clock that goes quickly."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import yaml
from sqlalchemy import select
from tests.adapters.mllp.serving import served
from tests.stream.hospital import with_branches

from wardround.adapters.database.database import Database
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.fhir_server.running import RunningServer
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.line import MllpLine
from wardround.demo.hospital.places import PEOPLE, PEOPLE_AUTHORITY, VISITS, VISITS_AUTHORITY, WATCHED
from wardround.demo.hospital.playing import Account, Clock, Pacing, play
from wardround.demo.hospital.stays import Recorded
from wardround.demo.hospital.webhook import Received, receiving
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_stream
from wardround.stream.metrics import Metrics
from wardround.stream.reception import Reception
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stages import STAGES, opened_stage

USUAL = 120
"""How many times as fast the clock goes; a stay's hours pass as much faster once more."""
BRANCH = {"id": "now", "at": ["0h", "1m", "6m"], "channel": "ward"}


@dataclass
class Quick:
    """A clock that goes so many times as fast as the machine's, from the time that it was made."""

    pace: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    since: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.pace * (time.monotonic() - self.since))

    def wait_until(self, moment: datetime) -> None:
        time.sleep(max(0.0, (moment - self.now()).total_seconds() / self.pace))

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.wait_until)


class Noting:
    """A line that remembers what was sent on it."""

    def __init__(self, line: MllpLine) -> None:
        self.line, self.sent = line, list[bytes]()

    def exchange(self, body: bytes) -> bytes | None:
        self.sent.append(body)
        return self.line.exchange(body)


@dataclass
class Whole:
    """The stream at work, and what came of it."""

    queue: Queue
    server: RunningServer
    feed: Feed
    charts: Charts
    line: Noting
    received: Received
    quick: Quick
    account: Account = field(default_factory=Account)

    def play(self, messages: int, a_second: float) -> None:
        """Sends messages, so many in a second of the machine's."""
        pacing = Pacing(a_second / self.quick.pace, self.account.sent + messages, patience=timedelta(days=1))
        play(self.feed, self.charts, self.line, pacing, self.quick.clock, self.account)

    def wait_until(self, met: Callable[[], bool], seconds: float = 120.0) -> None:
        """Lets charts go on until something is so; only a test that fails waits as long as that."""
        ends = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < ends, self.outcomes()
            self.charts.write_known(self.quick.now())
            time.sleep(0.05)

    def drained(self) -> bool:
        """Returns whether no message is open."""
        message = STREAM_MESSAGE.c
        with self.queue.database.reading() as connection:
            return connection.execute(select(message.seq).where(message.outcome.is_(None)).limit(1)).first() is None

    def outcomes(self) -> Counter[tuple[str, str | None]]:
        message = STREAM_MESSAGE.c
        with self.queue.database.reading() as connection:
            return Counter(
                (stage, outcome) for stage, outcome in connection.execute(select(message.stage, message.outcome))
            )

    def rows(self, stage: str, *columns: str) -> list[Any]:
        """Returns columns of a stage's messages, in the order in which they were put."""
        message = STREAM_MESSAGE.c
        asked = select(*(message[name] for name in columns)).where(message.stage == stage).order_by(message.seq)
        with self.queue.database.reading() as connection:
            return [tuple(row) for row in connection.execute(asked)]

    def raw(self) -> list[bytes]:
        """Returns the bodies of the raw messages, in order."""
        message = STREAM_MESSAGE.c
        asked = (
            select(STREAM_BODY.c.body)
            .join(STREAM_MESSAGE, message.seq == STREAM_BODY.c.seq)
            .where(message.stage == "flag")
            .order_by(message.seq)
        )
        with self.queue.database.reading() as connection:
            return list(connection.execute(asked).scalars())

    def held(self, kind: str) -> list[dict[str, Any]]:
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            return list(client.search(kind, {}))


@contextmanager
def whole_stream(
    settings: Settings,
    folder: Path,
    database: Database,
    server: RunningServer,
    recorded: Recorded,
    every: int,
    stays: int | None = None,
    pace: int = USUAL,
    expires: str = "1d",
) -> Iterator[Whole]:
    """Gives a stream whose stages all work in threads of this process, each with its own connections."""
    with ExitStack() as stack:
        webhook = stack.enter_context(listen(LOOPBACK, 0, "webhook"))
        received = stack.enter_context(receiving(webhook, lambda _: None))
        settings = configured(settings, folder, server, f"{url_of(webhook)}/", expires)
        source = load_stream(settings.stream).sources["main"]
        quick, queue = Quick(pace), Queue(database)
        intake = stack.enter_context(intake_into(queue, 0))
        reception = Reception("main", source, intake, Metrics(), quick.now, 60.0)
        listener = stack.enter_context(served(lambda frame: asyncio.run(reception.answer(frame))))
        stop, threads = Event(), list[Thread]()
        for name in STAGES:
            stage = stack.enter_context(opened_stage(name, settings, queue))
            runner = Runner(stage, queue, StageMetrics(name, Metrics()), quick.now, timedelta(hours=1))
            threads.append(Thread(target=runner.run, args=[stop], name=f"test-{name}"))
        client = stack.enter_context(FhirClient(FhirEndpoint(server.base_url)))
        charts = Charts(client, f"whole {quick.began}", pace)
        charts.write_places(recorded.places)
        line = MllpLine(LOOPBACK, listener.port)
        stack.callback(line.close)
        feed = Feed((recorded.stays * 99)[: stays or len(recorded.stays)], charts, Random(1), "W", every)
        for thread in threads:
            thread.start()
        try:
            yield Whole(queue, server, feed, charts, Noting(line), received, quick)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def configured(
    settings: Settings,
    folder: Path,
    server: RunningServer,
    webhook: str,
    expires: str,
    port: int = 0,
    branches: Sequence[dict[str, Any]] = (BRANCH,),
) -> Settings:
    """Returns the installation with this server, webhook and branches; with a port, its listener opens that."""
    (folder / "secret").write_text("a secret of more than 24 characters")
    source = {
        "fhir": server.base_url,
        "time_zone": "Europe/Berlin",
        "patients": [{"system": PEOPLE, "namespace": PEOPLE_AUTHORITY}],
        "visits": {"system": VISITS, "namespace": VISITS_AUTHORITY},
        "units": list(WATCHED),
        "classes": ["I"],
    }
    if port:
        source["listen"] = f"{LOOPBACK}:{port}"
    channel = {"webhook": {"url": webhook, "secret_file": "secret"}, "expires": expires}
    file = folder / "stream.yaml"
    file.write_text(yaml.safe_dump({"sources": {"main": source}, "channels": {"ward": channel}}))
    return replace(with_branches(settings, folder / "home", branches), stream=file)
