"""A month of a hospital, with the time passed in, is played back: it equals what was said then to the last bit."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from tests.stream.hospital import promote_with
from tests.stream.whole import configured

from wardround.adapters.database.database import Database
from wardround.adapters.database.tables import METADATA, STREAM_MESSAGE
from wardround.adapters.models.store import ModelStore
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.fhir_server.running import RunningServer
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.stays import Recorded
from wardround.demo.hospital.webhook import Received, receiving
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_conditions
from wardround.stream.branches import ways_of
from wardround.stream.metrics import Metrics
from wardround.stream.raw import raw
from wardround.stream.replay import Replayed, Span, replayed
from wardround.stream.replay_flags import flagged_again
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stages import STAGES, opened_stage

BEGIN, DAYS, MESSAGES, ADMISSIONS = datetime(2026, 3, 1, tzinfo=UTC), 30, 1_500, 75
SPAN = Span(BEGIN, BEGIN + timedelta(days=DAYS + 1))
AT = ["0h", "1h", "6h"]
BRANCHES = [{"id": "now", "at": AT, "channel": "ward", "band": "moderate"}, {"id": "trial", "at": AT, "mode": "shadow"}]
SECOND_MODEL = "1.0.1-abcdefabcdef"


@dataclass
class Month:
    """What is there after a month."""

    settings: Settings
    queue: Queue
    feed: Feed
    sent: list[bytes]
    received: Received
    server: RunningServer

    def replay(self, version: str | None = None) -> list[Replayed]:
        """Returns all predictions of the month; each is still stored."""
        ways, store = ways_of(load_conditions(self.settings.schemas)), ModelStore(self.settings.models)
        said = list(replayed(self.queue, ways, store, SPAN, version))
        found = [one for one in said if isinstance(one, Replayed) and one.then is not None]
        assert len(found) == len(said)
        return found

    def rows(self) -> Counter[tuple[str, str | None]]:
        message = STREAM_MESSAGE.c
        with self.queue.database.reading() as connection:
            return Counter(
                (stage, outcome) for stage, outcome in connection.execute(select(message.stage, message.outcome))
            )

    def content(self) -> tuple[str, str, Counter[str]]:
        """Returns digests of the whole database and of what the FHIR server holds, and what the webhook got."""
        tables = METADATA.sorted_tables
        with self.queue.database.reading() as connection:
            rows = [sorted(repr(tuple(row)) for row in connection.execute(select(one))) for one in tables]
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            kinds = ("RiskAssessment", "Provenance", "Device", "Encounter", "Communication", "Flag")
            held = [sorted(map(repr, client.search(kind, {}))) for kind in kinds]
        return _digest(rows), _digest(held), Counter(self.received.keys)


def _digest(what: Any) -> str:
    return sha256(repr(what).encode()).hexdigest()


@pytest.fixture
def month(
    settings: Settings, tmp_path: Path, database: Database, own_server: RunningServer, recorded: Recorded
) -> Iterator[Month]:
    with ExitStack() as stack:
        webhook = stack.enter_context(listen(LOOPBACK, 0, "webhook"))
        received = stack.enter_context(receiving(webhook, lambda _: None))
        shutil.copytree(settings.models, tmp_path / "models")
        settings = configured(settings, tmp_path, own_server, f"{url_of(webhook)}/", "1d", branches=BRANCHES)
        settings = replace(settings, models=tmp_path / "models")
        charts = Charts(stack.enter_context(FhirClient(FhirEndpoint(own_server.base_url))), "month", 1)
        charts.write_places(recorded.places)
        feed = Feed((recorded.stays * 9)[:ADMISSIONS], charts, Random(6), "M", MESSAGES // ADMISSIONS)
        queue, now, sent = Queue(database), BEGIN, list[bytes]()
        stages = [stack.enter_context(opened_stage(name, settings, queue)) for name in STAGES]
        runners = [Runner(one, queue, StageMetrics(one.name, Metrics()), lambda: now) for one in stages]
        for _ in range(MESSAGES):
            now += timedelta(days=DAYS) / MESSAGES
            sent.append(feed.next(now).announced.body)
            charts.write_known(now)
            queue.put([raw(sent[-1], "main", now)])
            for runner in runners:
                runner.step()
        for _ in range(24):
            now += timedelta(hours=1)
            charts.write_known(now)
            for runner in runners * 2:
                runner.step()
        yield Month(settings, queue, feed, sent, received, own_server)


@pytest.mark.long
def test_a_month_is_played_back_to_the_last_bit_and_another_model_is_compared(month: Month) -> None:
    outcomes, before = month.rows(), month.content()
    assert {outcome for stage, outcome in outcomes if stage != "notify"} >= {"done", "asked_again", "shadow"}
    assert not {None, "dead"} & {outcome for _, outcome in outcomes}
    assert month.received.notifications > 0

    flags, said = flagged_again(month.queue, month.settings, SPAN), month.replay()

    assert (flags.messages, flags.missing, flags.new, flags.gone) == (len(dict.fromkeys(month.sent)), 0, 0, 0)
    assert flags.same >= len(BRANCHES) * len(month.feed.happened.to_the_unit)
    assert [one for one in said if not one.is_same] == []
    scored = [one for one in said if one.then is not None and one.then.score is not None]
    assert len(said) > len(scored) > ADMISSIONS
    assert any(one.then.told[0] for one in scored if one.then is not None)
    assert month.content() == before

    promote_with(month.settings, SECOND_MODEL, thresholds={"moderate": 0.0001, "high": 0.0002})
    other = month.replay(SECOND_MODEL)

    assert {one.version for one in other} == {SECOND_MODEL}
    bands = Counter((one.then.band, one.now.band) for one in other if one.then is not None)
    assert bands["low", "high"] > 0
    assert {now for _, now in bands} == {"high", "indeterminate"}
    assert all(one.now.score == one.then.score for one in other if one in scored and one.then is not None)
    assert month.content() == before
