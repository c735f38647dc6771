"""The stage that reads what Subscriptions announce, on a real FHIR server and real queues."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from wardround.adapters.database.database import Database, opened
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.queue import Queue
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.hl7.reader import Hl7Message, read
from wardround.settings import settings_from
from wardround.spec.stream import StreamSource
from wardround.stream.metrics import Metrics
from wardround.stream.resolve import NO_NUMBER, NOT_THERE, Resolve
from wardround.stream.runner import Runner
from wardround.stream.servers import Servers
from wardround.stream.stage import StageStopped
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.subscriptions.announced import STAGE, announced
from wardround.stream.subscriptions.notification import Notified

NOW = datetime.now(UTC)
LEASE = timedelta(minutes=1)
SOURCE = {
    "time_zone": "UTC",
    "patients": [{"system": "urn:mrn", "namespace": "HOSP"}],
    "visits": {"system": "urn:visit", "namespace": "VISIT"},
    "units": ["MICU"],
}


def encounter(key: str, unit: str, patient: str = "p1", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": (NOW - timedelta(hours=1)).isoformat()},
        "location": [{"location": {"reference": f"Location/{unit.lower()}", "display": unit}}],
        **more,
    }


HOSPITAL = encounter("h1", "ED", identifier=[{"system": "urn:visit", "value": "V1"}])
UNIT = encounter("u1", "MICU", partOf={"reference": "Encounter/h1"}, period={"start": NOW.isoformat()})
PEOPLE = [
    {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "P1"}]},
    {"resourceType": "Patient", "id": "p2"},
]


class Resolving:
    """The stage with its queue and server."""

    def __init__(self, server: RunningServer, database: Database) -> None:
        self.server, self.database, self.queue = server, database, Queue(database)
        source = StreamSource.model_validate({**SOURCE, "fhir": server.base_url})
        servers = Servers({"main": FhirEndpoint(server.base_url, retries=1)}, settings_from().schemas)
        self.stage = Resolve(servers, {"main": source})

    def put(self, *resources: dict[str, Any]) -> None:
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            entries = [
                {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
                for one in resources
            ]
            assert {one["response"]["status"][:2] for one in client.batch(entries)} == {"20"}

    def announce(self, found: Notified, after: timedelta = timedelta()) -> None:
        assert self.queue.put([announced("main", found, NOW + after)]) == [True]

    def step(self, at: timedelta = timedelta(seconds=1)) -> list[tuple[str, str]]:
        """Lets the stage work once; returns outcomes and reasons."""
        now = NOW + at
        done = list(self.stage.handle(self.queue.take(STAGE, 32, LEASE, now, self.stage.together), now))
        assert self.queue.finish(done, now) == [True] * len(done)
        return [(one.outcome, one.reason) for one in done]

    def open(self) -> list[tuple[datetime]]:
        """Returns when each notification that has not ended is due."""
        message = STREAM_MESSAGE.c
        asked = select(message.due).where(message.stage == STAGE, message.outcome.is_(None))
        with self.database.reading() as connection:
            return [(due,) for (due,) in connection.execute(asked)]

    def flagged(self) -> list[Hl7Message]:
        """Returns what the stage `flag` is to take, in order."""
        asked = (
            select(STREAM_BODY.c.body)
            .join(STREAM_MESSAGE, STREAM_BODY.c.seq == STREAM_MESSAGE.c.seq)
            .where(STREAM_MESSAGE.c.stage == "flag")
            .order_by(STREAM_MESSAGE.c.seq)
        )
        with self.database.reading() as connection:
            return [read(body) for (body,) in connection.execute(asked)]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def resolving(server: RunningServer, tmp_path: Path) -> Iterator[Resolving]:
    server.misbehave(FaultPlan())
    with opened(f"sqlite:///{tmp_path / 'wardround.db'}") as database:
        one = Resolving(server, database)
        one.put(*PEOPLE, HOSPITAL, UNIT, encounter("other", "MICU", "p2"))
        yield one


def said(message: Hl7Message, name: str, number: int) -> str:
    return next(one.value(number) for one in message.segments() if one.name == name)


@pytest.mark.parametrize("key", ["h1", "u1"])
def test_whichever_part_of_a_visit_is_announced_the_visit_is_told_as_a_whole(resolving: Resolving, key: str) -> None:
    resolving.announce(Notified((key,)))
    assert resolving.step() == [("done", "")]
    (message,) = resolving.flagged()
    assert (message.event, said(message, "PV1", 3), said(message, "PV1", 19)) == ("A01", "MICU", "V1")
    assert said(message, "PID", 3) == "P1"


def test_what_is_announced_twice_without_a_change_is_told_once(resolving: Resolving) -> None:
    resolving.announce(Notified(("u1",)))
    resolving.announce(Notified(("h1", "u1")), timedelta(seconds=1))
    assert resolving.step(timedelta(seconds=2)) == [("done", "")] * 2
    assert len(resolving.flagged()) == 1


def test_a_change_is_told_anew(resolving: Resolving) -> None:
    resolving.announce(Notified(("u1",)))
    resolving.step()
    resolving.put({**UNIT, "status": "finished"}, {**HOSPITAL, "status": "finished"})
    resolving.announce(Notified(("h1",)), timedelta(seconds=1))
    resolving.step(timedelta(seconds=2))
    assert [one.event for one in resolving.flagged()] == ["A01", "A03"]


def test_a_notification_that_names_nothing_lets_the_server_say_what_has_changed(resolving: Resolving) -> None:
    resolving.announce(Notified(others=True))
    ((outcome, reason),) = resolving.step()
    assert (outcome, reason) == ("done", f"{NO_NUMBER}: 1")
    assert [said(one, "PV1", 19) for one in resolving.flagged()] == ["V1"]


def test_a_patient_without_a_number_of_the_source_is_counted_and_not_told(resolving: Resolving) -> None:
    resolving.announce(Notified(("other",)))
    assert resolving.step() == [("done", f"{NO_NUMBER}: 1")]
    assert resolving.flagged() == []


def test_an_encounter_that_is_not_there_yet_is_looked_for_again_and_then_counted(resolving: Resolving) -> None:
    resolving.announce(Notified(("nowhere", "u1")))
    seconds = [1, 7, 40, 200]
    became = [resolving.step(timedelta(seconds=one)) for one in seconds]
    assert became[:3] == [[("later", NOT_THERE)]] * 3
    assert became[3] == [("done", f"{NOT_THERE}: 1")]
    assert len(resolving.flagged()) == 1


def test_a_server_that_is_down_stops_the_stage_and_nothing_is_lost(resolving: Resolving) -> None:
    resolving.announce(Notified(("u1",)))
    resolving.server.misbehave(FaultPlan(faults=(Fault(kind="status"),)))
    now = NOW + timedelta(seconds=1)
    taken = resolving.queue.take(STAGE, 32, LEASE, now)
    with pytest.raises(StageStopped) as stopped:
        list(resolving.stage.handle(taken, now))
    assert "u1" not in stopped.value.reason
    resolving.queue.put_back(taken, now)
    resolving.server.misbehave(FaultPlan())
    assert resolving.step(timedelta(seconds=2)) == [("done", "")]


def test_an_encounter_that_is_not_there_keeps_no_other_waiting(resolving: Resolving) -> None:
    resolving.announce(Notified(("nowhere",)))
    assert resolving.step() == [("later", NOT_THERE)]
    resolving.announce(Notified(("u1",)), timedelta(seconds=2))
    assert resolving.step(timedelta(seconds=3)) == [("done", "")]


def test_what_the_server_refuses_of_one_encounter_stops_no_other(resolving: Resolving) -> None:
    resolving.announce(Notified(("other",)))
    resolving.announce(Notified(("u1",)))
    # Once for both together, and once for the first alone.
    resolving.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=422, path="Encounter", times=2),)))
    metrics = StageMetrics(STAGE, Metrics())
    runner = Runner(resolving.stage, resolving.queue, metrics, lambda: NOW + timedelta(seconds=1))

    assert runner.step() == 2

    assert len(resolving.flagged()) == 1
    ((due,),) = resolving.open()
    assert due > NOW + timedelta(seconds=1)
