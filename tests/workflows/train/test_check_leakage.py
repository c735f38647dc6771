"""The gates as a step of training: they stop it after reporting what they found, unless it was explained."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.errors import TrainingError
from wardround.settings import Settings, settings_from
from wardround.workflows.train import (
    TrainingRequest,
    build_table,
    check_leakage,
    evaluate,
    fit_candidate,
    load,
    write_card,
)

RUN = "train_sepsis-20260301T050000Z-abcdef"
PATIENTS = 400
LEAK = "lactate__max_24h"


def _settings(home: Path) -> Settings:
    return settings_from({"WARDROUND_VAR": str(home / "var"), "WARDROUND_MODELS": str(home / "models")})


@pytest.fixture(scope="module")
def evaluated(small_mimic, tmp_path_factory) -> Path:
    """A home with a run up to `evaluate`, whose table is replaced by 400 patients in which lactate gives all away."""
    home = tmp_path_factory.mktemp("leak")
    settings = _settings(home)
    given = {"condition": "sepsis", "mimic": small_mimic, "created": datetime(2026, 3, 1, 5, tzinfo=UTC)}
    run = load(TrainingRequest(**given, candidates=("logistic_regression",), budget=1, run=RUN), settings)
    build_table(run, settings)
    folder = RunFolder.existing(settings.runs, run)
    folder.write_frame("table.parquet", _table(folder.read_frame("table.parquet")))
    fit_candidate(run, "logistic_regression", settings)
    evaluate(run, settings)
    return home


@pytest.fixture
def settings(evaluated, tmp_path) -> Settings:
    """The settings of a copy of that home."""
    shutil.copytree(evaluated / "var", tmp_path / "var")
    return _settings(tmp_path)


@pytest.fixture
def folder(settings) -> RunFolder:
    return RunFolder.existing(settings.runs, RUN)


def _table(small: pd.DataFrame) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    number = np.arange(PATIENTS)
    outcome = number % 3 == 0
    features = small.columns[small.columns.get_loc("age_band") + 1 :]
    values = {column: generator.normal(size=PATIENTS) for column in features}
    values[LEAK] += 20 * outcome
    told = {"stay_id": [f"s{n}" for n in number], "patient_id": [f"p{n}" for n in number], "outcome": outcome}
    fold = np.where(number % 4 == 3, -1, number // 4 % 5)
    return small.iloc[number % len(small)].reset_index(drop=True).assign(**values, **told, fold=fold)


def test_a_planted_leak_stops_the_training_and_says_where_to_look(settings, folder) -> None:
    with pytest.raises(TrainingError, match=r"gate too_good: AUROC 1\.000 .*look at lactate__max_24h.*--explained"):
        check_leakage(RUN, settings)
    gates = {gate["name"]: gate for gate in folder.read_json("gates.json")}
    assert {name: gate["passed"] for name, gate in gates.items()} == {
        "patient_overlap": True,
        "permuted_labels": True,
        "dominant_feature": True,
        "too_good": False,
    }
    assert gates["dominant_feature"]["columns"] == [LEAK]
    assert not settings.models.exists()


def test_an_explanation_lets_it_pass_and_is_kept_in_the_card(settings, folder) -> None:
    given = folder.read_json("request.json")
    folder.write_json("request.json", {**given, "explained": "lactate was simulated from the outcome"})
    check_leakage(RUN, settings)
    card = ModelStore(settings.models).card("sepsis", write_card(RUN, settings))
    gate = next(gate for gate in card.gates if gate.name == "too_good")
    assert (gate.passed, gate.explanation) == (True, "lactate was simulated from the outcome")
    assert card.evaluation.importance.columns[0].column == LEAK


def test_a_patient_on_both_sides_stops_the_training(settings, folder) -> None:
    table = folder.read_frame("table.parquet")
    folder.write_frame("table.parquet", table.assign(patient_id=table["patient_id"].replace("p3", "p4")))
    with pytest.raises(TrainingError, match="gate patient_overlap: 1 patients are on two sides"):
        check_leakage(RUN, settings)
