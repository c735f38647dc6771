"""Tests that the stream says what a screening writes at the same as_of: for every stay, to the last digit."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from tests.fixtures.simulated_ward import SimulatedWard
from tests.stream.hospital import FEED, ONE_BRANCH, promote_with, with_branches

from wardround.adapters.database.database import opened
from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.core import run_files
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_conditions, load_variables
from wardround.stream.bodies import Admission, Number, Scored, for_record, packed
from wardround.stream.branches import ways_of
from wardround.stream.models import Models
from wardround.stream.predict import Predict
from wardround.stream.query import Query
from wardround.stream.servers import Servers
from wardround.stream.visit_keys import NumbersNow
from wardround.workflows.live_models import Live
from wardround.workflows.screen import Means, ScreeningRequest, screen

BRANCH = "sepsis/now"
ICU = ("ACUTE",)


class Door:
    """The stages that read and score, in front of one server and with queues of their own."""

    def __init__(self, url: str, settings: Settings, queue: Queue) -> None:
        conditions = load_conditions(settings.schemas)
        ways, store = ways_of(conditions), ModelStore(settings.models)
        live = Live(store, {"sepsis": conditions["sepsis"]})
        live.look()
        numbers = NumbersNow(queue, Pseudonyms.in_folder(settings.var))
        self._query = Query(Servers({FEED: FhirEndpoint(url)}, settings.schemas), ways, numbers)
        self._predict = Predict(Models(store, live), ways)
        self._queue = queue
        self._origin = 0

    def admit(self, patient: Number, visit: Number, as_of: datetime) -> None:
        self._origin += 1
        body = Admission(visit, (patient,), "ICU", "I", as_of, as_of)
        put = Put(
            "query", f"{self._origin}", packed(body), f"{self._origin}", as_of, as_of, FEED, BRANCH, self._origin, as_of
        )
        self._queue.put([put])

    def said(self, now: datetime) -> tuple[dict[str, Scored], Counter[tuple[str, str, str]]]:
        """Returns the scores by stay, and how many messages became what in which stage, and why."""
        became: Counter[tuple[str, str, str]] = Counter()
        for stage in (self._query, self._predict):
            while taken := self._queue.take(stage.name, stage.most, timedelta(hours=1), now, stage.together):
                done = list(stage.handle(taken, now))
                became.update((stage.name, one.outcome, one.reason) for one in done)
                assert all(self._queue.finish(done, now))
        scores = [for_record(one.body) for one in self._queue.take("notify", 1000, timedelta(hours=1), now, True)]
        return {one.stay_id: one for one in scores if isinstance(one, Scored)}, became


def numbers(url: str) -> list[tuple[str, Number, Number, datetime]]:
    """Returns the stays on a server: id, the numbers of patient and visit, and when each began."""
    with FhirClient(FhirEndpoint(url)) as client:
        patients = {one["id"]: _number(one) for one in client.search("Patient", {})}
        stays = [one for one in client.search("Encounter", {}) if one["class"]["code"] in ICU]
    return [
        (
            one["id"],
            patients[one["subject"]["reference"].removeprefix("Patient/")],
            _number(one),
            datetime.fromisoformat(one["period"]["start"]),
        )
        for one in stays
    ]


def _number(resource: dict[str, list[dict[str, str]]]) -> Number:
    return Number(resource["identifier"][0]["system"], resource["identifier"][0]["value"])


def require_parity(folder: Path, settings: Settings, as_of: datetime, tmp_path: Path) -> Counter[str]:
    """Screens a folder on a server, and holds the stream to what was written; returns how many have which band."""
    with running_server(folder) as server, opened(f"sqlite:///{tmp_path / 'w.db'}") as database:
        door = Door(server.base_url, settings, Queue(database))
        for _, patient, visit, _ in numbers(server.base_url):
            door.admit(patient, visit, as_of)
        scores, _ = door.said(as_of)
        request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of=as_of)
        summary = screen(request, Means(FhirEndpoint(server.base_url), settings, lambda *_: None))
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            for written in client.search("RiskAssessment", {}):
                one = scores[written["encounter"]["reference"].removeprefix("Encounter/")]
                prediction = written["prediction"][0]
                assert abs(one.score - prediction["probabilityDecimal"]) <= 1e-9
                assert all(f"{reason}." in prediction["rationale"] for reason in one.reasons)
                assert list(one.basis) == [basis["reference"] for basis in written["basis"]]
    folder_of_run = RunFolder.existing(settings.runs, summary.run)
    ledger = folder_of_run.read_frame(run_files.LEDGER)
    bands: Counter[str] = Counter()
    for row in ledger[ledger["outcome"] == "scored"].itertuples():
        assert abs(scores[row.stay_id].score - row.score) <= 1e-9
        assert scores[row.stay_id].band == row.band
        bands[row.band] += 1
    assert len(scores) == bands.total()
    return bands


def test_every_stay_of_a_ward_gets_the_score_that_a_screening_writes(
    simulated_ward: SimulatedWard, settings: Settings, tmp_path: Path
) -> None:
    own = with_branches(settings, tmp_path / "home", ONE_BRANCH)

    bands = require_parity(simulated_ward.fhir, own, simulated_ward.now.to_pydatetime(), tmp_path)

    assert bands.total() >= 7


@pytest.fixture
def whole(trained_models: Path, tmp_path: Path) -> Settings:
    """An installation with the project's own conditions, and a sepsis model of all their columns."""
    own = replace(settings_from({"WARDROUND_VAR": str(tmp_path / "var")}), models=trained_models)
    return with_branches(own, tmp_path / "home", ONE_BRANCH)


@pytest.mark.long
@pytest.mark.mimic
def test_every_patient_of_the_mimic_demo_gets_the_score_that_a_screening_writes(
    mimic_demo: Path, whole: Settings, schemas: Path, tmp_path: Path
) -> None:
    now = pd.Timestamp("2026-01-02T05:00:00Z")
    mimic2fhir(mimic_demo, tmp_path / "fhir", Selection(load_variables(schemas), now), lambda _name: None)

    bands = require_parity(tmp_path / "fhir", whole, now.to_pydatetime(), tmp_path)

    assert bands.total() >= 70


@pytest.mark.long
@pytest.mark.mimic
def test_at_least_95_of_100_stays_of_the_mimic_demo_have_a_score_six_hours_in(
    mimic_demo: Path, whole: Settings, schemas: Path, tmp_path: Path
) -> None:
    """The model may be asked at any hour here: what is counted is whether there are enough data."""
    mimic2fhir(mimic_demo, tmp_path / "fhir", Selection(load_variables(schemas)), lambda _name: None)
    shutil.copytree(whole.models, tmp_path / "models")
    whole = replace(whole, models=tmp_path / "models")
    promote_with(whole, training_hours=None)
    had = {}
    with running_server(tmp_path / "fhir") as server:
        stays = numbers(server.base_url)
        for hours in (0, 1, 6):
            with opened(f"sqlite:///{tmp_path / f'{hours}.db'}") as database:
                door = Door(server.base_url, whole, Queue(database))
                for _, patient, visit, began in stays:
                    door.admit(patient, visit, began + timedelta(hours=hours))
                scores, _ = door.said(datetime(2300, 1, 1, tzinfo=began.tzinfo))
                had[hours] = len(scores)

    assert len(stays) == 140
    assert had[0] < had[1] < had[6]
    assert had[6] >= 0.95 * 140
