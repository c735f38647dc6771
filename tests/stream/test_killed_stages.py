"""Kills the listener and each stage 20 times while a hospital sends: nothing is lost, and nothing has two effects."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from tests.stream.killed_stages import NAMES
from tests.stream.test_end_to_end import ENDS, ends_of, visits_of
from tests.stream.whole import Noting, Quick, Whole, configured

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.fhir_server.running import RunningServer
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.line import MllpLine
from wardround.demo.hospital.stays import Recorded
from wardround.demo.hospital.webhook import receiving
from wardround.demo.standalone import free_port
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT, Settings, places_in_environment
from wardround.stream.bodies import Notice, for_record
from wardround.stream.stages import QUEUES
from wardround.stream.visit_keys import visit_in

KILLS, MOST, AT_ONCE, A_SECOND, EVERY = 20, 3_000, 20, 20, 3
SPEED = 400
"""How many times as fast the hours of a stay pass: a branch's minute is some seven of them."""
BRANCH = {"id": "now", "at": ["0h", "1m"], "channel": "ward"}
SEED = "14"


@contextmanager
def kept(settings: Settings, folder: Path) -> Iterator[Callable[[], dict[str, list[int]]]]:
    """Runs the processes; gives what returns with which exit codes they have ended so far, by name."""
    command = [sys.executable, "-m", "tests.stream.killed_stages", str(folder), str(KILLS), SEED]
    places = {**os.environ, **places_in_environment(settings), "PYTHONPATH": str(PROJECT / "src")}
    with (folder / "said").open("wb") as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        all_of_them = subprocess.Popen(command, cwd=PROJECT, env=places, start_new_session=True, **pipes)

    def ends() -> dict[str, list[int]]:
        assert all_of_them.poll() is None, (folder / "said").read_text()
        return {name: _numbers(folder / name) for name in NAMES}

    try:
        yield ends
    finally:
        # Its standard output ends when the last process has ended.
        all_of_them.communicate()


def _numbers(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_all_is_stored_once_and_has_one_effect_whenever_a_stage_is_killed(
    settings: Settings,
    tmp_path: Path,
    urls: Callable[[str], str],
    own_server: RunningServer,
    recorded: Recorded,
    engine: str,
) -> None:
    with ExitStack() as stack:
        webhook = stack.enter_context(listen(LOOPBACK, 0, "webhook"))
        received = stack.enter_context(receiving(webhook, lambda _: None))
        port = free_port()
        settings = configured(settings, tmp_path, own_server, f"{url_of(webhook)}/", "1d", port, [BRANCH])
        settings = replace(settings, database=urls(engine))
        database = stack.enter_context(opened(settings.database))
        client = stack.enter_context(FhirClient(FhirEndpoint(own_server.base_url)))
        charts = Charts(client, "killed", SPEED)
        charts.write_places(recorded.places)
        line = MllpLine(LOOPBACK, port)
        stack.callback(line.close)
        feed = Feed(recorded.stays * 99, charts, Random(SEED), "K", EVERY)
        whole = Whole(Queue(database), own_server, feed, charts, Noting(line), received, Quick(1))
        ends = stack.enter_context(kept(settings, tmp_path))
        while min(map(len, ends().values())) < KILLS and whole.account.sent < MOST:
            whole.play(AT_ONCE, a_second=A_SECOND)
        whole.wait_until(whole.drained, 300)

        assert ends() == dict.fromkeys(NAMES, [-signal.SIGKILL] * KILLS), (tmp_path / "said").read_text()
        assert all_stored_once(whole)
        assert one_message_for_each_step(whole)
        assert one_result_for_each_score(whole)
        assert one_notification_for_each_key(whole)
        assert in_order_of_each_visit(whole)


def all_stored_once(whole: Whole) -> bool:
    assert dict(whole.account.codes) == {"AA": whole.account.sent}
    assert whole.account.resent > 0
    assert whole.raw() == list(dict.fromkeys(whole.line.sent))
    ended = [(stage, *row) for stage in QUEUES for row in whole.rows(stage, "outcome", "attempts", "lost", "reason")]
    assert [one for one in ended if one[1] == "dead"] == []
    ends = ends_of(whole)
    assert len(ends) == len(whole.feed.happened.to_the_unit)
    return set(ends.values()) <= ENDS


def one_message_for_each_step(whole: Whole) -> bool:
    """Returns whether what was read was asked of a model once, and what was scored was put for the record once."""
    read, scored, asked = (steps(whole, stage) for stage in ("query", "predict", "notify"))
    assert all(len(rows) == 1 for rows in (*read.values(), *scored.values()))
    assert {step for step, (outcome,) in read.items() if outcome == "done"} == set(scored)
    # A score has a message for the record, and at most one for people.
    assert {step for step, (outcome,) in scored.items() if outcome == "done"} == set(asked)
    return all(len(rows) == 1 for rows in asked.values())


def steps(whole: Whole, stage: str) -> dict[tuple[Any, ...], list[str]]:
    """Returns the outcomes of a stage by raw message, visit and prediction time."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for origin, key, as_of, outcome in whole.rows(stage, "origin", "key", "as_of", "outcome"):
        if as_of is not None and not (stage == "notify" and key != visit_in(key)):  # not what people are told
            found.setdefault((origin, visit_in(key), as_of), []).append(outcome)
    return found


def one_result_for_each_score(whole: Whole) -> bool:
    written = whole.held("RiskAssessment")
    assert set(Counter(visits_of(whole, written)).values()) == {1}
    done = Counter(outcome for rows in steps(whole, "notify").values() for outcome in rows)["done"]
    assert len(written) == done > 0
    created = Counter(
        target["reference"].partition("/_history")[0]
        for one in whole.held("Provenance")
        if one["activity"]["text"].startswith("Automated")
        for target in one["target"]
        if target["reference"].startswith("RiskAssessment/")
    )
    return created == Counter(f"RiskAssessment/{one['id']}" for one in written)


def one_notification_for_each_key(whole: Whole) -> bool:
    """Returns whether the receiver has what was told, and beside it only what was withdrawn while it was told."""
    message = STREAM_MESSAGE.c
    asked = (
        select(message.outcome, STREAM_BODY.c.body)
        .join(STREAM_BODY, STREAM_BODY.c.seq == message.seq)
        .where(message.stage == "notify")
    )
    with whole.queue.database.reading() as connection:
        rows = [(outcome, for_record(body)) for outcome, body in connection.execute(asked)]
    notices = [(what.key, outcome) for outcome, what in rows if isinstance(what, Notice)]
    assert len(dict(notices)) == len(notices)
    told = {key for key, outcome in notices if outcome == "done"}
    withdrawn = {key for key, outcome in notices if outcome == "cancelled"}
    assert told <= set(whole.received.keys) <= told | withdrawn
    return len(told) > 0


def in_order_of_each_visit(whole: Whole) -> bool:
    """Returns whether the messages of a visit ended in order, but for those whose time had not come."""
    for stage in NAMES[1:]:
        by_key: dict[str, list[Any]] = {}
        for key, as_of, began, ended in whole.rows(stage, "key", "as_of", "began", "ended"):
            by_key.setdefault(key, []).append((as_of, began, ended))
        for rows in by_key.values():
            for (as_of, _, ended), (_, began, ended_after) in pairwise(rows):
                waited = as_of is not None and began is not None and as_of > began
                assert ended <= ended_after or waited, stage
    return True
