"""On the MIMIC-IV demo sepsis begins early: a training that has too little left says so, and the card counts it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from wardround.errors import TrainingError
from wardround.settings import Settings, settings_from
from wardround.workflows.train import TrainingRequest, build_table, load
from wardround.workflows.train.run import load_run

pytestmark = pytest.mark.mimic

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
Open = Callable[..., str]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("early")
    return settings_from({"WARDROUND_VAR": str(folder / "var"), "WARDROUND_MODELS": str(folder / "models")})


@pytest.fixture(scope="module")
def opened(mimic_demo, settings) -> Open:
    def load_run(**given: object) -> str:
        asked = {"condition": "sepsis", "mimic": mimic_demo, "created": CREATED, "label": "sepsis3", **given}
        return load(TrainingRequest.model_validate(asked), settings)

    return load_run


def test_a_daily_training_says_how_many_stays_had_their_onset_before_it(opened, settings) -> None:
    message = (
        r"3 patients with the outcome, of whom 2 to train on.*; 57 stays were left out because onset came before the"
        r" first prediction \(from 6h after admission\); predict earlier with --at, or every hour with --horizon, or"
        r" choose another onset with --onset$"
    )
    with pytest.raises(TrainingError, match=message):
        build_table(opened(), settings)


@pytest.mark.parametrize(
    ("onset", "suspicion", "to_predict"),
    [
        ("sofa_time", "any_culture", 31),
        ("sofa_rise", "any_culture", 47),
        ("sofa_rise", "without_screening_cultures", 44),
    ],
)
def test_so_many_stays_are_left_to_an_hourly_prediction(opened, settings, onset, suspicion, to_predict) -> None:
    folder = load_run(opened(horizon="6h", onset=onset, suspicion=suspicion), settings).folder
    assert folder.read_frame("stays.parquet")["outcome"].sum() == to_predict
    found = {(each["onset"], each["suspicion"]): each["stays"] for each in folder.read_json("definitions.json")}
    assert found[onset, suspicion]["to_predict"] == to_predict
    assert found["sofa_time", "any_culture"]["before_prediction"] == 31
