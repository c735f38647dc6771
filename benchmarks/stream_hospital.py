"""What the stream is measured with: a simulated hospital with its FHIR server, outside the core of the stream."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil

from benchmarks.measure import WARDROUND, run
from benchmarks.stream_processes import CORE
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.fhir_server.running import running_server
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.installation import EARLIEST, with_stream
from wardround.demo.hospital.line import MllpLine
from wardround.demo.hospital.playing import Account, Pacing, play
from wardround.demo.hospital.present import machine_clock, run_of
from wardround.demo.hospital.stays import Recorded, stays_of
from wardround.demo.hospital.webhook import receiving
from wardround.demo.standalone import free_port
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import Settings, kept_apart, places_in_environment, settings_from

FIRST = 60.0
"""Seconds from a message to the first prediction of the branch: EARLIEST."""
_SPEED = 60
"""At the branch's first time, a minute after receipt, a stay has the readings of its first hour."""
_STAYS = 100
"""Of the ward; for more admissions, they come again under other numbers."""


class _Line:
    """A connection to the listener that remembers what was sent on it."""

    def __init__(self, line: MllpLine) -> None:
        self._line = line
        self.sent: set[bytes] = set()

    def exchange(self, body: bytes) -> bytes | None:
        self.sent.add(sha256(body).digest())
        return self._line.exchange(body)


class Sent(NamedTuple):
    """How messages were answered, and how many different ones there were: it sends some twice."""

    account: Account
    distinct: int


@dataclass(frozen=True)
class Hospital:
    """The hospital, the port that it sends to, and the settings of a stream with a trained model beside it."""

    base_url: str
    mllp: int
    recorded: Recorded
    settings: Settings

    def on(self, database: str) -> Settings:
        """Returns the settings of the stream with a database."""
        return replace(self.settings, database=database)

    def play(self, messages: int, rate: float, every: int, stays: int) -> Sent:
        """Sends messages on one connection at a rate, of which each `every`th begins the way of a stay to the unit."""
        account, now = Account(), datetime.now(UTC)
        with FhirClient(FhirEndpoint(self.base_url)) as client:
            charts = Charts(client, run_of(now), _SPEED)
            charts.write_places(self.recorded.places)
            coming = (self.recorded.stays * (stays // len(self.recorded.stays) + 1))[:stays]
            plain = MllpLine(LOOPBACK, self.mllp)
            line, pacing = _Line(plain), Pacing(rate, messages)
            play(Feed(coming, charts, Random(1), run_of(now), every), charts, line, pacing, machine_clock(), account)
            plain.close()
        return Sent(account, len(line.sent))

    def results(self) -> int:
        """Returns how many RiskAssessments the record has."""
        with FhirClient(FhirEndpoint(self.base_url)) as client:
            return sum(1 for _ in client.search("RiskAssessment", {}))


@contextmanager
def built(folder: Path) -> Iterator[Hospital]:
    """Gives a hospital with an empty record, and a trained model beside it."""
    own = kept_apart(settings_from({}), folder)
    with running_server() as server, listen(LOOPBACK, 0, "webhook") as webhook, receiving(webhook, lambda _: None):
        mllp, ward = free_port(), folder / "ward"
        settings = with_stream(own, folder, server.base_url, mllp, int(url_of(webhook).rpartition(":")[2]))
        (settings.schemas / "conditions" / "mortality.yaml").unlink()
        places = places_in_environment(settings)
        run([WARDROUND, "simulate", "--stays", str(_STAYS), "--seed", "1", "--out", str(ward)], places)
        run([WARDROUND, "train", "sepsis", "--mimic", str(ward / "mimic"), "--at", EARLIEST, "--budget", "1"], places)
        yield Hospital(server.base_url, mllp, stays_of(ward / "fhir", ["ACUTE"], simulated=True), settings)


def stay_off_the_stream_s_core() -> None:
    """Lets this process, and those that it starts, run on the other cores, if there are any."""
    if others := set(range(psutil.cpu_count() or 1)) - {CORE}:
        os.sched_setaffinity(0, others)
