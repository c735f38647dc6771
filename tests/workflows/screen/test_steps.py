"""The steps one by one, as Airflow calls and repeats them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.adapters.models.store import ModelStore
from wardround.errors import RunIncomplete, RunNotFound
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.workflows import screen
from wardround.workflows.screen.run import load_run


@pytest.fixture
def client(server) -> Iterator[FhirClient]:
    with FhirClient(FhirEndpoint(server)) as client:
        yield client


@pytest.fixture
def opened(icu, server, settings) -> Callable[..., str]:
    """Opens a run over three stays on the server."""

    def open_run(settings: Settings = settings, **changes: Any) -> str:
        for name in ("a", "b", "c"):
            icu.stay(name)
        icu.upload(server)
        asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", **changes}
        return screen.open_run(screen.ScreeningRequest.model_validate(asked), settings)

    return open_run


def published(run: str, client: FhirClient, settings) -> None:
    """All steps up to publish, each of them twice, chunks backwards: Airflow promises neither order nor once."""
    chunks = screen.find_stays(run, client, settings)
    for chunk in [*chunks, *reversed(chunks)]:
        screen.extract(run, chunk, client, settings)
    for _ in range(2):
        screen.check_quality(run, settings)
    for step in (
        lambda chunk: screen.score(run, chunk, settings),
        lambda chunk: screen.publish(run, chunk, client, settings),
    ):
        for chunk in [*reversed(chunks), *chunks]:
            step(chunk)


def reasons(run: str, settings) -> dict[str, str]:
    ledger = RunFolder.existing(settings.runs, run).read_frame("ledger.parquet")
    return dict(zip(ledger["stay_id"], ledger["reason"], strict=True))


def test_every_step_can_be_repeated(opened, client, settings, held) -> None:
    run = opened()
    published(run, client, settings)
    for _ in range(2):
        summary = screen.reconcile(run, client, settings).as_json()
    assert (summary["found"], summary["written"], summary["failed"]) == (3, 3, 0)
    assert (len(held("RiskAssessment")), len(held("Provenance")), len(held("Device"))) == (3, 3, 1)
    screen.require_complete(run, settings)


def test_a_run_opened_again_starts_from_nothing(opened, client, settings) -> None:
    run = opened(run=run_id("sepsis", pd_as_of(), key="scheduled__1"))
    published(run, client, settings)
    folder = RunFolder.existing(settings.runs, run)
    before = folder.list()
    assert opened(run=run) == run
    assert folder.list() == ["condition.json", "request.json", "source_map.json"]
    assert len(before) > 10


def pd_as_of() -> Any:
    import pandas as pd

    return pd.Timestamp("2026-01-02T05:00Z")


@pytest.mark.parametrize(("ended", "reason"), [("extract", "task:extract"), ("score", "task:score")])
def test_the_stays_of_a_chunk_whose_task_failed_are_accounted_for(opened, client, settings, ended, reason) -> None:
    run = opened()
    first, *others = screen.find_stays(run, client, settings)
    for chunk in [first, *others] if ended == "score" else others:
        screen.extract(run, chunk, client, settings)
    screen.check_quality(run, settings)
    for chunk in others:
        screen.score(run, chunk, settings)
        screen.publish(run, chunk, client, settings)
    summary = screen.reconcile(run, client, settings).as_json()
    assert reasons(run, settings) == {"e-a": reason, "e-b": "", "e-c": ""}
    assert (summary["scored"], summary["failed"]) == (2, 1)
    with pytest.raises(RunIncomplete, match="1 of 3 stays failed"):
        screen.require_complete(run, settings)


def test_reconcile_finds_what_the_server_lost_doubled_or_changed(opened, client, settings, held) -> None:
    run = opened()
    published(run, client, settings)
    a, b, c = sorted(held("RiskAssessment"), key=lambda risk: risk["encounter"]["reference"])
    other = {**c, "prediction": [{**c["prediction"][0], "probabilityDecimal": 0.9}]}
    client.batch(
        [
            {"request": {"method": "DELETE", "url": f"RiskAssessment/{a['id']}"}},
            {"request": {"method": "PUT", "url": "RiskAssessment/copy"}, "resource": {**b, "id": "copy"}},
            {"request": {"method": "PUT", "url": f"RiskAssessment/{c['id']}"}, "resource": other},
        ]
    )
    summary = screen.reconcile(run, client, settings).as_json()
    assert summary["problems"] == {"e-a": "missing", "e-b": "duplicate", "e-c": "different"}
    assert (summary["failed"], summary["written"]) == (3, 2)
    with pytest.raises(RunIncomplete, match="Encounter/e-a missing, Encounter/e-b duplicate, Encounter/e-c different"):
        screen.require_complete(run, settings)


def test_reconcile_notices_a_result_that_is_of_another_patient(opened, client, settings, held) -> None:
    run = opened()
    published(run, client, settings)
    risk = next(each for each in held("RiskAssessment") if each["encounter"]["reference"] == "Encounter/e-a")
    swapped = {**risk, "subject": {"reference": "Patient/p-b"}}
    client.batch([{"request": {"method": "PUT", "url": f"RiskAssessment/{risk['id']}"}, "resource": swapped}])
    assert screen.reconcile(run, client, settings).as_json()["problems"] == {"e-a": "different"}


@pytest.mark.parametrize("element", ["subject", "encounter"])
def test_reconcile_compares_whole_references(opened, client, settings, held, server: str, element: str) -> None:
    run = opened()
    published(run, client, settings)
    risk = next(each for each in held("RiskAssessment") if each["encounter"]["reference"] == "Encounter/e-a")
    for base, problems in ((server, {}), ("https://elsewhere.org/fhir", {"e-a": "different"})):
        absolute = {**risk, element: {"reference": f"{base}/{risk[element]['reference']}"}}
        client.batch([{"request": {"method": "PUT", "url": f"RiskAssessment/{risk['id']}"}, "resource": absolute}])
        assert screen.reconcile(run, client, settings).as_json()["problems"] == problems


def test_a_chunk_or_a_run_that_is_not_there_is_an_error(opened, client, settings) -> None:
    run = opened()
    screen.find_stays(run, client, settings)
    for chunk in (0, 4, -1):
        with pytest.raises(RunIncomplete, match=f"no chunk {chunk}"):
            screen.extract(run, chunk, client, settings)
    with pytest.raises(RunNotFound, match="features"):
        screen.score(run, 1, settings)
    with pytest.raises(RunNotFound):
        screen.publish("sepsis-20260102T050000Z-ffffff", 1, client, settings)


@pytest.mark.parametrize(
    ("stated", "horizon"), [("6h", timedelta(hours=6)), ("hospital_stay", None), ("not stated", None)]
)
def test_results_reach_as_far_as_the_model_was_trained_to_look(opened, settings, tmp_path, stated, horizon):
    mine = replace(settings, models=tmp_path / "models")
    condition, store = load_condition("sepsis", settings.schemas), ModelStore(settings.models)
    card = store.card("sepsis", store.live("sepsis").version)
    files = {name: (settings.models / "sepsis" / card.version / name).read_bytes() for name in card.files}
    ModelStore(mine.models).save("sepsis", card.model_copy(update={"horizon": stated}), files)
    ModelStore(mine.models).promote(condition, card.version, by="tests", why="tests")
    run = load_run(opened(settings=mine), mine)
    assert run.screening(mine).horizon == horizon
