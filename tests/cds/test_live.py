"""Tests that promotions and suspensions count at the door, and what it says without a model."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.cds.ehr import RISK, Ehr
from tests.cds.kept import Kept

from wardround.adapters.models.store import ModelStore
from wardround.cds.door import Door
from wardround.settings import Settings
from wardround.spec.loading import load_condition, load_conditions
from wardround.workflows.live_models import Live

FIRST, SECOND = "1.0.0-0123456789ab", "1.0.1-abcdefabcdef"


@pytest.fixture
def own(bedside: Settings, tmp_path: Path) -> Settings:
    """The installation, with a model store of its own that holds a second version, which always says 7 %."""
    shutil.copytree(bedside.models, tmp_path / "models")
    settings = replace(bedside, models=tmp_path / "models")
    store, sepsis = ModelStore(settings.models), load_condition("sepsis", settings.schemas)
    card = store.card("sepsis", FIRST)
    files = {name: (settings.models / "sepsis" / FIRST / name).read_bytes() for name in card.files}
    flat = card.model_copy(update={"version": SECOND, "thresholds": {"moderate": 0.9, "high": 0.95}})
    store.save(sepsis.id, flat, files)
    return settings


def promote(settings: Settings, version: str) -> None:
    store = ModelStore(settings.models)
    store.promote(load_condition("sepsis", settings.schemas), version, by="tests", why="tests")


def version(ehr: Ehr) -> str:
    return str(ehr.ask("p-a")["extension"][RISK]["modelVersion"])


def test_a_promoted_model_answers_the_next_call_after_a_look(ehr: Ehr, own: Settings) -> None:
    ehr.door = Door.of(own, Kept())
    assert version(ehr) == FIRST
    promote(own, SECOND)

    ehr.door.means.live.look()

    answer = ehr.ask("p-a")
    assert answer["extension"][RISK]["modelVersion"] == SECOND
    assert answer["extension"][RISK]["band"] == "low"


def test_whoever_watches_notices_within_seconds_and_no_call_fails(ehr: Ehr, own: Settings) -> None:
    with Door.of(own, Kept()).watched() as door:
        ehr.door = door
        assert version(ehr) == FIRST
        promote(own, SECOND)
        until = time.monotonic() + 60
        while version(ehr) != SECOND:
            assert time.monotonic() < until
        ModelStore(own.models).suspend("sepsis", by="tests", why="tests")
        while ehr.ask("p-a")["extension"][RISK]["outcome"] != "suspended":
            assert time.monotonic() < until


def test_a_suspended_condition_says_so_on_a_card_and_computes_nothing(ehr: Ehr, own: Settings, kept: Kept) -> None:
    ehr.door = Door.of(own, kept)
    store = ModelStore(own.models)
    store.suspend("sepsis", by="Somebody", why="wrong unit of lactate")
    ehr.door.means.live.look()

    card = ehr.card("p-a", prefetch=None)

    assert card["summary"] == "Sepsis risk: switched off"
    assert card["indicator"] == "info"
    assert "Somebody" not in card["detail"]
    assert (kept.calls[0].outcome, kept.calls[0].band, kept.calls[0].model_version) == ("suspended", "", FIRST)
    store.resume("sepsis", by="tests", why="tests")
    ehr.door.means.live.look()
    assert ehr.card("p-a")["indicator"] == "critical"


def test_without_a_live_model_the_call_is_to_be_made_again_later(ehr: Ehr, bedside: Settings, tmp_path: Path) -> None:
    ehr.door = Door.of(replace(bedside, models=tmp_path / "none"), Kept())

    answer = ehr.send(ehr.call("p-a"))

    assert (answer.status, answer.headers) == (503, {"Retry-After": "30"})
    outcome = orjson.loads(answer.body)
    assert (outcome["resourceType"], outcome["issue"][0]["code"]) == ("OperationOutcome", "transient")
    assert answer.call is not None
    assert answer.call.outcome == "no_model"


def test_discovery_answers_without_a_model(bedside: Settings, tmp_path: Path, ehr: Ehr) -> None:
    ehr.door = Door.of(replace(bedside, models=tmp_path / "none"), Kept())

    assert len(ehr.door.services) == 3


def test_a_model_that_was_changed_is_not_used_and_the_log_says_so_once(
    ehr: Ehr, own: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    promote(own, SECOND)
    file = next(path for path in (own.models / "sepsis" / SECOND).iterdir() if path.name.startswith("model."))
    file.write_bytes(file.read_bytes() + b"x")

    with caplog.at_level(logging.INFO, "wardround"):
        ehr.door = Door.of(own, Kept())
        assert ehr.send(ehr.call("p-a")).status == 503
        for _ in range(3):
            ehr.door.means.live.look()

    assert [one.getMessage() for one in caplog.records if "its digest is not the one" in one.getMessage()] != []
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1


def test_a_model_whose_file_breaks_its_library_is_not_used_and_stops_nobody_else(own: Settings, ehr: Ehr) -> None:
    folder = own.models / "sepsis"
    file = next(path for path in (folder / FIRST).iterdir() if path.name.startswith("model."))
    recorded = (folder / "versions.json").read_text()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest in recorded
    file.write_bytes(b"no model at all")
    (folder / "versions.json").write_text(recorded.replace(digest, hashlib.sha256(b"no model at all").hexdigest()))

    ehr.door = Door.of(own, Kept())

    assert ehr.send(ehr.call("p-a")).status == 503
    assert "no model at all" not in ehr.door.means.live.of("sepsis").problem
    assert ehr.door.means.live.of("sepsis").problem.startswith(f"model {FIRST}: ")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def live_of(own: Settings) -> Callable[[Clock], Live]:
    conditions = load_conditions(own.schemas)
    return lambda clock: Live(ModelStore(own.models), conditions, clock)


def test_a_call_looks_for_itself_if_nobody_has_looked_for_a_while(
    own: Settings, live_of: Callable[[Clock], Live]
) -> None:
    clock = Clock()
    live = live_of(clock)
    assert live.of("sepsis").version == FIRST
    promote(own, SECOND)

    clock.now += 4
    assert live.of("sepsis").version == FIRST
    clock.now += 2
    assert live.of("sepsis").version == SECOND


def test_a_store_that_cannot_be_read_is_believed_for_a_minute(
    own: Settings, live_of: Callable[[Clock], Live], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    live = live_of(clock)
    assert live.of("sepsis").scoring is not None
    decisions = own.models / "sepsis" / "decisions.jsonl"
    whole = decisions.read_bytes()
    decisions.write_bytes(b"not a decision\n")

    clock.now += 59
    assert live.of("sepsis").scoring is not None
    clock.now += 6
    assert live.of("sepsis").scoring is None
    assert live.of("sepsis").problem == "the model store cannot be read"
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    decisions.write_bytes(whole)
    clock.now += 6
    assert live.of("sepsis").scoring is not None


def test_a_model_that_could_not_be_loaded_is_tried_again(own: Settings, live_of: Callable[[Clock], Live]) -> None:
    clock = Clock()
    file = next(path for path in (own.models / "sepsis" / FIRST).iterdir() if path.name.startswith("model."))
    whole = file.read_bytes()
    file.write_bytes(b"x")
    live = live_of(clock)
    assert live.of("sepsis").scoring is None
    file.write_bytes(whole)

    clock.now += 6
    assert live.of("sepsis").scoring is None
    clock.now += 6
    assert live.of("sepsis").scoring is not None
