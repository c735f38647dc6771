"""A small ICU on a FHIR server, an installation whose sepsis has branches, and its queues; time is passed in."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import delete, select
from tests.fixtures.icu import AS_OF, Icu
from tests.stream.flagging import PSEUDONYMS

from wardround.adapters.database.kept import write_kept
from wardround.adapters.database.tables import NOTIFICATION, STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.database.visits import kept
from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import Done, Put
from wardround.adapters.queue.queue import Queue
from wardround.adt.known import Kind, Name
from wardround.core.identifier import Identifier
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_condition, load_conditions
from wardround.stream.bodies import Admission, Cancelled, Number, packed
from wardround.stream.branches import Way, ways_of
from wardround.stream.channels.opening import Reach
from wardround.stream.channels.telling import Channel
from wardround.stream.models import Models
from wardround.stream.notify import Notify
from wardround.stream.predict import Predict
from wardround.stream.query import Query
from wardround.stream.recording import Recorder
from wardround.stream.servers import Servers
from wardround.stream.stage import Stage
from wardround.stream.visit_keys import NumbersNow, keys_of, request_key
from wardround.workflows.live_models import Live

MRN, VISIT, FEED = "urn:oid:1.2.3", "urn:oid:1.2.4", "main"
LEASE = timedelta(minutes=1)
ONE_BRANCH = [{"id": "now", "at": ["0h"]}]
TOLD = [{**ONE_BRANCH[0], "channel": "ward"}]


class Ward(Icu):
    """The small ICU, whose patients and stays carry numbers: P-<name> and V-<name>."""

    def stay(self, name: str, *args: Any, visit: str | None = "", **content: Any) -> str:
        known = len(self.resources)
        made = super().stay(name, *args, **content)
        for one in self.resources[known:]:
            if one["resourceType"] == "Patient":
                one["identifier"] = [{"system": MRN, "value": "P-" + one["id"].removeprefix("p-")}]
            elif one["resourceType"] == "Encounter" and visit is not None:
                one["identifier"] = [{"system": VISIT, "value": visit or f"V-{name}"}]
        return made


def with_branches(settings: Settings, home: Path, branches: Sequence[dict[str, Any]], **spec: Any) -> Settings:
    """Returns the installation with these branches of sepsis, and what else its file says, in a home of its own."""
    shutil.copytree(settings.schemas, home / "include" / "schemas", dirs_exist_ok=True)
    file = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    said = {**yaml.safe_load(file.read_text()), "stream": {"branches": list(branches)}, **spec}
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    return replace(settings, home=home)


def promote_with(settings: Settings, version: str = "1.0.1-abcdefabcdef", **card: Any) -> None:
    """Makes a second version live: the first one, with these changes of its card."""
    store, sepsis = ModelStore(settings.models), load_condition("sepsis", settings.schemas)
    first = store.card("sepsis", store.live_version("sepsis"))
    files = {name: (store.root / "sepsis" / first.version / name).read_bytes() for name in first.files}
    store.save("sepsis", first.model_copy(update={"version": version, **card}), files)
    store.promote(sepsis, version, by="tests", why="tests")


@dataclass
class Hospital:
    """A hospital whose admissions are announced at AS_OF."""

    url: str
    settings: Settings
    queue: Queue
    ward: Ward = field(default_factory=Ward)
    endpoint: dict[str, Any] = field(default_factory=dict)
    channels: dict[str, Reach] = field(default_factory=dict)
    sources: tuple[str, ...] = (FEED,)
    pseudonyms: Pseudonyms = PSEUDONYMS

    def __post_init__(self) -> None:
        conditions = load_conditions(self.settings.schemas)
        self.ways: dict[str, Way] = ways_of(conditions)
        self.live = Live(ModelStore(self.settings.models), conditions)
        self.live.look()
        self.models = Models(ModelStore(self.settings.models), self.live)
        self._origin = 0

    @property
    def servers(self) -> Servers:
        endpoint = FhirEndpoint(self.url, **self.endpoint)
        return Servers(dict.fromkeys(self.sources, endpoint), self.settings.schemas)

    @property
    def query(self) -> Query:
        return Query(self.servers, self.ways, NumbersNow(self.queue, self.pseudonyms))

    @property
    def predict(self) -> Predict:
        return Predict(self.models, self.ways)

    @property
    def notify(self) -> Notify:
        """The stage, which forgets which channels failed."""
        recorder = Recorder(self.settings)
        suspended = self.models.is_suspended
        return Notify(self.queue, self.servers, self.ways, self.channels, recorder, suspended, PSEUDONYMS)

    def connect(self, name: str, channel: Channel, expires: timedelta = timedelta(hours=1)) -> None:
        """Connects a channel."""
        self.channels[name] = Reach(channel, expires)

    def score(self, after: timedelta = timedelta()) -> None:
        """Reads and scores what is due."""
        self.run(self.query, self.predict, after=after)

    def cancel(self, name: str, branch: str = "sepsis/now") -> None:
        """Puts that the last admission was taken back, as the stage `flag` does."""
        at = AS_OF
        put = Put(
            stage="notify",
            key=f"key-{name}",
            body=packed(Cancelled(self._origin, at)),
            dedup=f"{self._origin}:{branch}:cancelled",
            due=at,
            received=at,
            source=FEED,
            branch=branch,
            origin=self._origin,
        )
        self.queue.put([put])

    def upload(self) -> None:
        self.ward.upload(self.url)

    def admit(
        self,
        name: str,
        branch: str = "sepsis/now",
        after: timedelta = timedelta(),
        origin: int = 0,
        source: str = FEED,
        **changed: Any,
    ) -> None:
        """Puts the admission of a visit, received some time after AS_OF, as the stage `flag` does.

        `origin` is the number of the raw message; by default, a new one.
        """
        received, way = AS_OF + after, self.ways[branch]
        key = f"key-{name}" if source == FEED else f"key-{source}-{name}"
        self._origin = origin or self._origin + 1
        facts = {
            "visit": Number(VISIT, f"V-{name}"),
            "patients": (Number(MRN, f"P-{name}"),),
            "unit": "MICU",
            "visit_class": "I",
            "event_time": received,
            "received": received,
        }
        as_of = received + way.branch.at[0]
        put = Put(
            stage="query",
            key=request_key(key, branch),
            body=packed(Admission(**{**facts, **changed})),
            dedup=f"{self._origin}:{branch}:{key}:0h",
            due=as_of,
            received=received,
            source=source,
            branch=branch,
            origin=self._origin,
            as_of=as_of,
        )
        self.queue.put([put])

    def merge(self, kind: Kind, old: Identifier, new: Identifier) -> None:
        """Makes a number another one, as the stage `flag` does."""
        with self.queue.database.writing() as connection:
            keys = keys_of(self.queue.run, FEED, self.pseudonyms)
            write_kept(connection, kept(keys, {}, {Name(kind, old): new}, AS_OF))

    def work(self, stage: Stage, after: timedelta = timedelta()) -> list[Done]:
        """Lets a stage handle what is due some time after AS_OF, once; returns what became of it."""
        now = AS_OF + after
        taken = self.queue.take(stage.name, stage.most, LEASE, now, stage.together)
        done = list(stage.handle(taken, now))
        assert all(self.queue.finish(done, now))
        return done

    def run(self, *stages: Stage, after: timedelta = timedelta()) -> list[tuple[str, str]]:
        """Lets the stages work one after the other; returns outcome and reason of all that they handled."""
        return [(done.outcome, done.reason) for stage in stages for done in self.work(stage, after)]

    def open(self, stage: str) -> list[tuple[datetime, bytes]]:
        """Returns due time and body of what waits for a stage."""
        message = STREAM_MESSAGE.c
        asked = (
            select(message.due, STREAM_BODY.c.body)
            .join(STREAM_BODY, STREAM_BODY.c.seq == message.seq)
            .where(message.run == self.queue.run, message.stage == stage, message.outcome.is_(None))
            .order_by(message.seq)
        )
        with self.queue.database.reading() as connection:
            return [(due, body) for due, body in connection.execute(asked)]

    def held(self, kind: str) -> list[dict[str, Any]]:
        """Returns what the server holds of a type."""
        with FhirClient(FhirEndpoint(self.url)) as client:
            return list(client.search(kind, {}))

    def delete_all(self) -> None:
        """Empties the server, and forgets what people were told."""
        with self.queue.database.writing() as connection:
            connection.execute(delete(NOTIFICATION))
        kinds = (
            "Provenance",
            "RiskAssessment",
            "Device",
            "Communication",
            "Flag",
            "Observation",
            "Encounter",
            "Patient",
        )
        there = [f"{kind}/{one['id']}" for kind in kinds for one in self.held(kind)]
        with FhirClient(FhirEndpoint(self.url)) as client:
            client.batch([{"request": {"method": "DELETE", "url": one}} for one in there])
