"""Training from CSVs to a live model, step by step as Airflow's tasks do it, and all at once."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.errors import SourceDataError, SpecError, TrainingError
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_condition
from wardround.training.clocks import clocks_in
from wardround.training.tasks import ROW_COLUMNS
from wardround.workflows.model_import import ImportRequest, digest_of, import_model
from wardround.workflows.train import (
    TrainingRequest,
    build_table,
    check_leakage,
    compare,
    evaluate,
    fit_candidate,
    load,
    promote,
    resume,
    train,
    write_card,
)
from wardround.workflows.train.train import Trained

NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)


def _quiet(_step: str, _done: int, _units: int) -> None:
    pass


def _settings(folder: Path) -> Settings:
    return settings_from({"WARDROUND_VAR": str(folder / "var"), "WARDROUND_MODELS": str(folder / "models")})


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return _settings(tmp_path_factory.mktemp("training"))


def _train(mimic: Path, settings: Settings, **changes: object) -> Trained:
    request = TrainingRequest(**{"condition": "sepsis", "mimic": mimic, "created": NOW, **changes})
    return train(request, settings, "tests", _quiet)


@pytest.fixture(scope="module")
def trained(small_mimic, settings) -> Trained:
    return _train(small_mimic, settings)


def test_every_stay_is_used_or_left_out_for_a_reason(trained) -> None:
    assert trained.card.cohort.model_dump() == {
        "found": 60,
        "used": 58,
        "excluded": {"open_stay": 1, "over_before_prediction": 1},
    }


def test_sides_add_up_and_no_patient_is_on_both(trained, settings) -> None:
    split = trained.card.split
    assert (split.train.stays + split.test.stays, split.train.positives + split.test.positives) == (58, 20)
    table = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    on_test = table["fold"] == -1
    assert not set(table.loc[on_test, "patient_id"]) & set(table.loc[~on_test, "patient_id"])
    assert table[~on_test].groupby("patient_id")["fold"].nunique().eq(1).all()


def test_the_card_says_what_was_learned_and_how_well(trained) -> None:
    card = trained.card
    assert set(card.candidates) == {"logistic_regression", "random_forest", "xgboost"}
    best = max(result.metrics["f1"].value for result in card.candidates.values())
    assert card.candidates[card.chosen].metrics["f1"].value == best
    assert card.thresholds["high"] == card.candidates[card.chosen].threshold
    assert card.thresholds["moderate"] == pytest.approx(card.thresholds["high"] / 2)
    assert card.metrics["auroc"].value > 0.9
    assert card.metrics["auroc"].reason == "too few patients with the outcome (5) for an interval"
    for name in ("sensitivity", "specificity", "prevalence", "f1", "brier"):
        assert card.metrics[name].low <= card.metrics[name].value <= card.metrics[name].high
    assert (card.created, card.seed, card.label.rule, card.horizon) == (NOW, 1, "icd", "hospital_stay")
    assert "Adjunct only" in card.safety


def test_the_high_band_is_within_the_conditions_budget_and_not_below_the_share_with_the_outcome(
    trained, settings
) -> None:
    sepsis, evaluation = load_condition("sepsis", settings.schemas), trained.card.evaluation
    table = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    policy, high = evaluation.policy, trained.card.thresholds["high"]
    assert (policy.name, policy.target, policy.lock_out) == ("alert_budget", 10, sepsis.lock_out)
    assert policy.reached <= policy.target or policy.reason == "the highest score alone exceeds the budget"
    assert policy.prevalence == pytest.approx(table.loc[table["fold"] != -1, "outcome"].astype(bool).mean())
    assert high >= policy.prevalence
    assert [each.band for each in evaluation.bands] == ["low", "moderate", "high"]
    assert sum(each.rows for each in evaluation.bands) == (table["fold"] == -1).sum()
    assert evaluation.bands[-1].observed.value == trained.card.metrics["ppv"].value
    assert [gate.passed for gate in trained.comparison.gates if gate.name == "bands"] == [None]


def test_the_card_says_what_the_ranking_owes_to_the_time_since_the_stay_began(trained, settings) -> None:
    table = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    found = trained.card.by_time
    assert found.columns == clocks_in(table) == ("hours_in_unit", "hours_in_hospital")
    assert found.rows == (table["fold"] != -1).sum()
    assert found.without_time["auroc"].value > 0.8, "what tells the patients apart is not the time"
    assert trained.card.gates[2].clocks == ()


def test_the_first_model_goes_live_and_scores(trained, settings) -> None:
    assert trained.live
    live = ModelStore(settings.models).live("sepsis")
    assert (live.version, live.by, live.why) == (
        trained.version,
        "tests",
        "first model of the condition; no gate could judge it",
    )
    model = ModelStore(settings.models).load(load_condition("sepsis", settings.schemas))
    table = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    scores = model.predict(table)
    assert scores[table["outcome"].to_numpy(dtype=bool)].mean() > scores[~table["outcome"].to_numpy(dtype=bool)].mean()


def test_imputation_is_learned_from_the_training_side_alone(trained, settings) -> None:
    table = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    train_side = table[table["fold"] != -1]
    assert trained.card.imputation["heart_rate__last_24h"] == train_side["heart_rate__last_24h"].median()
    assert trained.card.imputation["heart_rate__last_24h"] != table["heart_rate__last_24h"].median()
    # Nothing in the folder has this variable.
    assert trained.card.imputation["platelets__last_24h"] == 0.0


def test_the_same_data_and_seed_give_the_same_model_and_version(trained, small_mimic, settings) -> None:
    again = _train(small_mimic, settings, created=datetime(2026, 4, 1, tzinfo=UTC))
    assert again.version == trained.version
    assert again.run != trained.run
    assert ModelStore(settings.models).versions("sepsis").count(trained.version) == 1


def test_another_seed_gives_another_model_which_does_not_go_live_by_itself(trained, small_mimic, settings) -> None:
    other = _train(small_mimic, settings, seed=2)
    assert (other.version == trained.version, other.live) == (False, False)
    assert ModelStore(settings.models).live("sepsis").version == trained.version


def test_a_second_condition_needs_nothing_but_its_file(small_mimic, settings) -> None:
    card = _train(small_mimic, settings, condition="mortality").card
    assert (card.label.rule, card.cohort.used, len(card.columns)) == ("hospital_death", 58, 79)


def test_tasks_can_be_repeated_and_hand_on_small_references(small_mimic, tmp_path) -> None:
    settings = _settings(tmp_path)
    request = TrainingRequest(
        condition="mortality", mimic=small_mimic, created=NOW, run="train_mortality-20260301T050000Z-abcdef"
    )
    for _ in range(2):
        run = load(request, settings)
        names = build_table(run, settings)
        for name in names:
            fit_candidate(run, name, settings)
        chosen = evaluate(run, settings)
        check_leakage(run, settings)
        version = write_card(run, settings)
        compare(run, settings)
        assert promote(run, "tests", "first", settings).version == version
    assert (run, chosen in names) == (request.run, True)
    assert ModelStore(settings.models).versions("mortality") == (version,)


def test_a_stopped_run_continues_from_its_complete_files(trained, small_mimic, settings) -> None:
    run = load(TrainingRequest(condition="sepsis", mimic=small_mimic, created=NOW), settings)
    first, *_ = build_table(run, settings)
    fit_candidate(run, first, settings)
    kept = [Path(settings.runs, run, name) for name in ("stays.parquet", "table.parquet", f"candidates/{first}.json")]
    before = [path.stat().st_mtime_ns for path in kept]
    resumed = resume(run, settings, "tests", _quiet)
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert (resumed.run, resumed.version) == (run, trained.version)


def test_a_run_that_stopped_before_its_stays_were_known_starts_again(trained, small_mimic, settings) -> None:
    run = load(TrainingRequest(condition="sepsis", mimic=small_mimic, created=NOW), settings)
    Path(settings.runs, run, "left_out.parquet").unlink()
    resumed = resume(run, settings, "tests", _quiet)
    assert (resumed.run, resumed.version) == (run, trained.version)


def test_a_training_opened_again_starts_from_nothing(small_mimic, settings) -> None:
    request = TrainingRequest(
        condition="sepsis", mimic=small_mimic, created=NOW, run="train_sepsis-20260301T050000Z-abcdef"
    )
    folder = RunFolder.existing(settings.runs, load(request, settings))
    loaded = folder.list()
    for name in ("version.json", "table.parquet", "candidates.json", "candidates/xgboost.json"):
        folder.write_bytes(name, b"of an earlier attempt, perhaps with other stays")
    load(request, settings)
    assert folder.list() == loaded


def test_the_test_patients_decide_neither_the_model_nor_its_thresholds(trained, small_mimic, settings) -> None:
    first = RunFolder.existing(settings.runs, trained.run)
    request = TrainingRequest(condition="sepsis", mimic=small_mimic, created=NOW)
    run = load(request, settings)
    names = build_table(run, settings)
    folder = RunFolder.existing(settings.runs, run)
    table = folder.read_frame("table.parquet")
    on_test = table["fold"] == -1
    columns = [column for column in table if "__" in column]
    table.loc[on_test, columns] = np.random.default_rng(1).normal(size=(on_test.sum(), len(columns)))
    folder.write_frame("table.parquet", table)
    for name in names:
        fit_candidate(run, name, settings)
    evaluate(run, settings)
    before, after = (each.read_json("evaluation.json") for each in (first, folder))
    measured = {"metrics": None, "evaluation": None}
    assert after["metrics"] != before["metrics"]
    assert {**after, **measured} == {**before, **measured}
    assert after["evaluation"]["policy"] == before["evaluation"]["policy"]


def test_too_few_patients_with_the_outcome_is_an_error_and_stores_nothing(make_mimic, tmp_path) -> None:
    settings = _settings(tmp_path)
    mimic = make_mimic(tmp_path / "mimic", patients=30, positive_every=10)
    with pytest.raises(TrainingError, match="3 patients with the outcome, of whom 2 to train on"):
        _train(mimic, settings)
    assert not settings.models.exists()


def test_an_unknown_condition_label_or_folder_is_a_clear_error(small_mimic, tmp_path) -> None:
    settings = _settings(tmp_path)
    with pytest.raises(SpecError, match="no condition 'gout'"):
        _train(small_mimic, settings, condition="gout")
    with pytest.raises(TrainingError, match="--label: got 'hospital_death'"):
        _train(small_mimic, settings, label="hospital_death")
    with pytest.raises(SourceDataError, match="icustays"):
        _train(tmp_path / "nowhere", settings)


@pytest.mark.mimic
@pytest.mark.parametrize(
    ("condition", "positives"), [("sepsis", 26), pytest.param("mortality", 15, marks=pytest.mark.long)]
)
def test_the_demo_accounts_for_all_140_stays(mimic_demo, tmp_path, condition, positives) -> None:
    trained = _train(mimic_demo, _settings(tmp_path), condition=condition)
    cohort, split = trained.card.cohort, trained.card.split
    assert (cohort.found, cohort.used + sum(cohort.excluded.values())) == (140, 140)
    assert split.train.stays + split.test.stays == cohort.used
    assert split.train.positives + split.test.positives == positives
    assert trained.live


def test_the_table_holds_no_more_than_the_model_needs(trained, settings) -> None:
    table: pd.DataFrame = RunFolder.existing(settings.runs, trained.run).read_frame("table.parquet")
    condition = load_condition("sepsis", settings.schemas)
    about = list(ROW_COLUMNS)
    about.insert(about.index("outcome") + 1, "fold")
    assert list(table) == [*about, *condition.columns]


def test_a_live_model_from_elsewhere_that_lacks_inputs_is_not_compared(trained, settings, tmp_path) -> None:
    models = shutil.copytree(settings.models, tmp_path / "models")
    file, names = tmp_path / "own.joblib", ["heart_rate__last_24h", "platelets__last_24h"]
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 2)), columns=names)
    regression = LogisticRegression().fit(rows, np.arange(20) % 2)
    metadata = {"feature_names": names, "metrics": {"optimal_threshold": 0.5}}
    joblib.dump({"model": regression, "metadata": metadata}, file)
    request = ImportRequest(file=file, condition="sepsis", trusted=digest_of(file), trusted_by="tests", created=NOW)
    elsewhere = replace(settings, models=models)
    version = import_model(request, elsewhere).version
    ModelStore(models).promote(load_condition("sepsis", settings.schemas), version, "tests", "to compare with")
    comparison = compare(trained.run, elsewhere)
    assert comparison.live == version
    assert comparison.not_scored == "it cannot score test patients who lack an input that it requires"


def test_a_training_removes_what_one_that_was_killed_left_half_written(trained, settings, small_mimic) -> None:
    killed = Path(settings.runs) / "train_mortality-20260101T000000Z-0a1b2c"
    killed.mkdir()
    (killed / ".features.parquet.part-0a1b2c3d").write_bytes(b"half")
    load(TrainingRequest(condition="sepsis", mimic=small_mimic, created=NOW), settings)
    assert list(killed.iterdir()) == []
