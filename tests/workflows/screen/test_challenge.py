"""A stored version scored beside the live one: same stays, same features, and nothing of it on the server."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.core.ledger import LEDGER_COLUMNS
from wardround.errors import ModelError
from wardround.evaluation.results import Calibration
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.bands import band_of
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.workflows import screen
from wardround.workflows.report import report_page
from wardround.workflows.screen import ScreeningRequest
from wardround.workflows.screen.run import load_run

OTHER = "1.0.0-other"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a store of its own, in which lies a second version: it says more, and calls fewer of it high."""
    shutil.copytree(settings.models, tmp_path / "models")
    own = replace(settings, models=tmp_path / "models")
    store = ModelStore(own.models)
    live = store.live_version("sepsis")
    other = store.card("sepsis", live).model_copy(
        update={
            "version": OTHER,
            "calibration": Calibration(method="platt", slope=0.8, intercept=0.4),
            "thresholds": {"moderate": 0.3, "high": 0.9999},
        }
    )
    (name,) = (path.name for path in (own.models / "sepsis" / live).iterdir() if path.name.startswith("model."))
    store.save("sepsis", other, {name: (own.models / "sepsis" / live / name).read_bytes()})
    return own


@pytest.fixture
def sepsis(settings: Settings) -> Condition:
    return load_condition("sepsis", settings.schemas)


@pytest.fixture
def challenge(settings: Settings, sepsis: Condition) -> Callable[..., None]:
    def begin(until: Any = None) -> None:
        when = pd.Timestamp(until).to_pydatetime() if until else None
        ModelStore(settings.models).challenge(sepsis, OTHER, "ann", "is it better?", when)

    return begin


@pytest.fixture
def ward(icu, server) -> None:
    for name, lactate in (("a", 9.0), ("b", 1.0), ("c", 3.1), ("d", None)):
        icu.stay(name, lactate=lactate, vitals=name != "d")
    icu.upload(server)


def ledger_of(settings: Settings, run: str) -> pd.DataFrame:
    return RunFolder.existing(settings.runs, run).read_frame("ledger.parquet").set_index("stay_id", drop=False)


def go_through(run: str, chunks: list[int], client: FhirClient, settings: Settings) -> dict[str, Any]:
    """The steps after find_stays, each for the chunks in this order; the run's summary."""
    for chunk in chunks:
        screen.extract(run, chunk, client, settings)
    screen.check_quality(run, settings)
    for chunk in chunks:
        screen.score(run, chunk, settings)
        screen.publish(run, chunk, client, settings)
    return screen.reconcile(run, client, settings).as_json()


def stated(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name not in ("id", "meta")} for one in resources]


def file_of(settings: Settings) -> Path:
    (path,) = (path for path in (settings.models / "sepsis" / OTHER).iterdir() if path.name.startswith("model."))
    return path


def test_it_scores_the_same_stays_and_not_a_letter_on_the_server_or_in_the_live_ledger_changes(
    ward, screened, settings, sepsis, challenge, held
) -> None:
    alone = screened(mode="shadow")
    challenge()
    summary = screened()
    ledger = ledger_of(settings, summary["run"])
    before = ledger_of(settings, alone["run"])

    same = [name for name in LEDGER_COLUMNS if name != "written"]
    assert ledger[same].equals(before[same])
    assert list(before.columns) == list(LEDGER_COLUMNS)
    written = held("RiskAssessment")
    assert {one["prediction"][0]["probabilityDecimal"] for one in written} == set(ledger["score"].dropna())
    assert OTHER not in str((written, held("Provenance"), held("Device")))

    model = ModelStore(settings.models).load(sepsis, OTHER)
    folder = RunFolder.existing(settings.runs, summary["run"])
    features = pd.concat([folder.read_frame(name) for name in folder.list() if name.endswith("/features.parquet")])
    expected = dict(zip(features["stay_id"], model.predict(features).round(4), strict=True))
    for stay in ("e-a", "e-b", "e-c"):
        assert ledger.loc[stay, "challenger_score"] == pytest.approx(expected[stay], abs=1e-9)
        assert ledger.loc[stay, "challenger_band"] == band_of(round(expected[stay], 4), model.card.thresholds)
        assert ledger.loc[stay, "challenger_score"] != ledger.loc[stay, "score"]
    assert pd.isna(ledger.loc["e-d", "challenger_score"])
    assert ledger.loc["e-d", "challenger_band"] == "indeterminate"


def test_the_summary_and_the_report_say_how_the_two_agree(ward, screened, settings, challenge) -> None:
    challenge()
    summary = screened(mode="shadow")
    said, page = summary["challenger"], report_page(summary["run"], settings)
    assert (said["version"], said["left_out"], said["compared"]) == (OTHER, "", 3)
    assert said["scored"] == {"live": 3, "challenger": 3}
    assert said["alerts"]["live"] > said["alerts"]["challenger"] == 0
    assert "<h2>The challenger</h2>" in page
    assert f"{said['same_band']} of 3 stays that both scored" in page


def test_without_a_challenge_nothing_speaks_of_one(ward, screened, settings) -> None:
    summary = screened()
    assert summary["challenger"] is None
    assert "hallenger" not in report_page(summary["run"], settings)


def test_a_step_that_is_repeated_scores_the_same(ward, server, settings, challenge) -> None:
    challenge()
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "mode": "shadow"}
    run = screen.open_run(ScreeningRequest.model_validate(asked), settings)
    with FhirClient(FhirEndpoint(server)) as client:
        ledgers = []
        chunks = screen.find_stays(run, client, settings)
        for again in (chunks, list(reversed(chunks))):
            go_through(run, again, client, settings)
            ledgers.append(ledger_of(settings, run))
    assert ledgers[0].equals(ledgers[1])


@pytest.mark.parametrize(("as_of", "scored"), [("2026-01-02T04:59:59Z", True), ("2026-01-02T06:00:00+01:00", False)])
def test_a_challenge_lasts_for_prediction_times_before_its_end(settings, server, sepsis, as_of, scored) -> None:
    store = ModelStore(settings.models, clock=lambda: pd.Timestamp("2026-01-01T00:00Z").to_pydatetime())
    store.challenge(sepsis, OTHER, "ann", "why", pd.Timestamp("2026-01-02T05:00Z").to_pydatetime())
    asked = {"condition": "sepsis", "source_url": server, "as_of": as_of}
    run = screen.open_run(ScreeningRequest.model_validate(asked), settings)
    assert (load_run(run, settings).challenger is not None) == scored


def test_a_challenger_that_goes_live_is_one_no_more(ward, screened, settings, sepsis, challenge) -> None:
    challenge()
    ModelStore(settings.models).promote(sepsis, OTHER, "ann", "it is better")
    summary = screened()
    assert (summary["model_version"], summary["challenger"]) == (OTHER, None)


def test_a_challenger_that_was_changed_is_left_out_with_a_note_and_the_run_is_complete(
    ward, screened, settings, challenge
) -> None:
    challenge()
    file_of(settings).write_bytes(b"another model")
    summary = screened()
    assert (summary["written"], summary["complete"]) == (3, True)
    assert "its digest is not the one recorded" in summary["challenger"]["left_out"]
    assert list(ledger_of(settings, summary["run"]).columns) == list(LEDGER_COLUMNS)
    assert "Left out: " in report_page(summary["run"], settings)


def test_a_challenger_of_another_spec_is_left_out_and_the_live_one_goes_on(
    ward, screened, settings, sepsis, challenge
) -> None:
    challenge()
    store = ModelStore(settings.models)
    spoiled = store.card("sepsis", OTHER).model_copy(update={"spec_digest": "f" * 64})
    content = file_of(settings).read_bytes()
    name = file_of(settings).name
    shutil.rmtree(settings.models / "sepsis" / OTHER)
    store.save("sepsis", spoiled, {name: content})
    summary = screened()
    assert (summary["written"], summary["complete"]) == (3, True)
    assert "trained for another spec" in summary["challenger"]["left_out"]


def test_a_challenger_that_breaks_while_chunks_are_scored_breaks_no_chunk(ward, server, settings, challenge) -> None:
    challenge()
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z"}
    run = screen.open_run(ScreeningRequest.model_validate(asked), settings)
    file_of(settings).unlink()
    with FhirClient(FhirEndpoint(server)) as client:
        summary = go_through(run, screen.find_stays(run, client, settings), client, settings)
    assert (summary["written"], summary["complete"]) == (3, True)
    assert summary["challenger"]["left_out"].startswith("in 4 of 4 chunks: ")
    ledger = ledger_of(settings, run)
    assert ledger["challenger_score"].isna().all()
    assert set(ledger["challenger_band"]) == {""}


def test_what_cannot_score_or_is_live_is_no_challenger(settings, sepsis) -> None:
    store = ModelStore(settings.models)
    for version, message in (
        ("9.9.9", "is not a stored version"),
        (store.live_version("sepsis"), "is the live version"),
    ):
        with pytest.raises(ModelError, match=message):
            store.challenge(sepsis, version, "ann", "why")
    with pytest.raises(ModelError, match="the day 2020-01-01 is over"):
        store.challenge(sepsis, OTHER, "ann", "why", pd.Timestamp("2020-01-01T00:00Z").to_pydatetime())
    file_of(settings).write_bytes(b"another model")
    with pytest.raises(ModelError, match="its digest"):
        store.challenge(sepsis, OTHER, "ann", "why")
    assert store.standing("sepsis").challenge is None


def test_the_log_says_which_challenger_is_scored_beside_and_which_cannot_be(
    icu, server, screened, challenge, settings, caplog
) -> None:
    caplog.set_level("INFO", logger="wardround")
    icu.stay("a")
    icu.upload(server)
    challenge()
    run = screened(installed=settings)["run"]
    assert f"run {run}: challenger {OTHER} is scored beside it" in caplog.messages
    (settings.models / "sepsis" / OTHER / "card.json").write_text("{}")
    run = screened(installed=settings)["run"]
    (warned,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == f"run {run}: challenger {OTHER} is left out because its model cannot be used"
