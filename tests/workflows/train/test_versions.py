"""Two stored versions on the same test patients: which patients, what is unfair, and how the versions differ."""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import joblib
import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.cli.main import wardround
from wardround.core import run_files
from wardround.errors import ModelError, SourceDataError
from wardround.evaluation.comparison import Seen
from wardround.evaluation.metrics import Metric
from wardround.results.training_hours import TrainingHours
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.workflows.model_import import ImportRequest, import_model
from wardround.workflows.train import compare_versions
from wardround.workflows.train.run import load_run
from wardround.workflows.train.table import TEST

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def settings(two, tmp_path) -> Settings:
    """The runs and models of `two`, copied."""
    made, _, _ = two
    for name, folder in (("runs", Path(made.runs)), ("models", made.models)):
        shutil.copytree(folder, tmp_path / name)
    return replace(made, runs=str(tmp_path / "runs"), models=tmp_path / "models")


def _another(settings: Settings, version: str, of: str, condition: str = "sepsis", **changes: object) -> str:
    """A copy of a stored version under another name, with changes to its card."""
    store = ModelStore(settings.models)
    card = store.card("sepsis", of)
    files = {name: (settings.models / "sepsis" / of / name).read_bytes() for name in card.files}
    return store.save(condition, card.model_copy(update={"version": version, **changes}), files)


def test_both_are_measured_on_the_first_ones_test_patients_and_their_difference_says_why_it_has_no_interval(
    two,
) -> None:
    settings, first, second = two
    found = compare_versions(first.version, second.version, None, None, settings)
    assert (found.condition, found.first.version, found.second.version) == ("sepsis", first.version, second.version)
    assert found.patients == f"the test patients of {first.version}, from its training run {first.run}"
    assert found.test.patients == first.card.split.test.patients
    for name in ("auroc", "auprc", "brier", "sensitivity", "ppv", "f1"):
        assert found.metrics[name].first == first.card.metrics[name]
    assert found.metrics["alerts_high"].first == first.card.evaluation.alerts_per_100_patient_days
    assert found.metrics["calibration_slope"].first == first.card.evaluation.calibration.slope
    assert found.metrics["calibration_intercept"].first == first.card.evaluation.calibration.intercept
    apart = found.metrics["auroc"]
    assert apart.difference.value == pytest.approx(apart.first.value - apart.second.value)
    assert apart.difference.reason.startswith("too few patients with the outcome")
    assert found.metrics["alerts_moderate"].first.value >= found.metrics["alerts_high"].first.value


def test_a_version_does_not_differ_from_itself(two) -> None:
    settings, first, _ = two
    found = compare_versions(first.version, first.version, "sepsis", None, settings)
    differences = {(pair.difference.value, pair.difference.low) for pair in found.metrics.values()}
    assert (0.0, None) in differences
    assert differences <= {(0.0, None), (None, None)}


def test_two_versions_are_compared_at_the_hours_that_both_cover(two, settings, monkeypatch) -> None:
    _, first, second = two
    hours = TrainingHours(first=timedelta(hours=1), last=timedelta(hours=18))
    narrow = _another(settings, "1.0.0-aaaaaa", second.version, training_hours=hours)
    found = compare_versions(first.version, narrow, "sepsis", None, settings)
    rows = load_run(first.run, settings).table.side(on_test=True).frame
    common = rows[rows["hour"].between(1, 18)]
    assert (found.test.rows, found.test.not_covered) == (len(common), len(rows) - len(common))
    assert found.test.patients == common["patient_id"].nunique() > 0
    for name, place in (("HOME", settings.home), ("RUNS", settings.runs), ("MODELS", settings.models)):
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    monkeypatch.setenv("COLUMNS", "300")
    shown = CliRunner().invoke(wardround, ["model", "compare", first.version, narrow])
    assert f"{found.test.not_covered:,} of {len(rows):,} test predictions are left out" in shown.output
    never = TrainingHours(first=timedelta(hours=2_000), last=timedelta(hours=3_000))
    _another(settings, "1.0.0-bbbbbb", second.version, training_hours=never)
    with pytest.raises(ModelError, match="no prediction for these test patients is at an hour that both cover"):
        compare_versions(first.version, "1.0.0-bbbbbb", "sepsis", None, settings)


def test_it_shows_how_many_of_these_patients_each_version_learned_from(two) -> None:
    settings, first, second = two
    tables = [RunFolder.of(settings.runs, each.run).read_frame(run_files.TABLE) for each in (first, second)]
    tested = set(tables[0].loc[tables[0]["fold"] == TEST, "patient_id"])
    learned = set(tables[1].loc[tables[1]["fold"] != TEST, "patient_id"])
    found = compare_versions(first.version, second.version, None, None, settings)
    assert found.first.seen == Seen(answer="no")
    assert found.second.seen == Seen(answer="yes", patients=len(tested & learned))
    assert found.fairness[0] == f"{first.version} learned from none of these test patients."
    assert f"learned from {len(tested & learned)} of these {len(tested)} test patients: it looks" in found.fairness[1]


def test_without_the_first_versions_run_the_second_versions_patients_are_used_and_what_is_unknown_is_said(
    two, settings
) -> None:
    _, first, second = two
    shutil.rmtree(Path(settings.runs) / first.run)
    found = compare_versions(first.version, second.version, None, None, settings)
    assert found.patients.startswith(f"the test patients of {second.version}, from its training run")
    assert (found.first.seen.answer, found.second.seen.answer) == ("unknown", "no")
    assert "It is not known whether" in found.fairness[0]


def test_without_any_run_the_same_patients_are_made_again_from_mimic(
    two, settings, small_mimic, make_mimic, tmp_path
) -> None:
    kept = compare_versions(two[1].version, two[2].version, None, None, settings)
    shutil.rmtree(settings.runs)
    with pytest.raises(ModelError, match=r"neither training run is kept in .*; give --mimic DIR"):
        compare_versions(two[1].version, two[2].version, None, None, settings)
    again = compare_versions(two[1].version, two[2].version, None, small_mimic, settings)
    assert again.patients == f"the test patients of {two[1].version}, rebuilt from MIMIC-IV"
    assert (again.metrics, again.test, again.first.seen) == (kept.metrics, kept.test, Seen(answer="no"))
    others = compare_versions(
        two[1].version, two[2].version, None, make_mimic(tmp_path / "others", positive_every=4), settings
    )
    assert others.patients.startswith("test patients drawn as for")
    assert {others.first.seen.answer, others.second.seen.answer} == {"unknown"}
    assert not Path(settings.runs).exists()
    with pytest.raises(SourceDataError):
        compare_versions(two[1].version, two[2].version, None, tmp_path / "nowhere", settings)


def test_versions_that_answer_different_questions_are_refused_with_both(two, settings) -> None:
    _, first, second = two
    label = load_condition("sepsis", settings.schemas).labels["sepsis3"]
    other = _another(settings, "2.0.0-x", first.version, label=label)
    with pytest.raises(
        ModelError,
        match=r"were trained for different questions \(.*horizon.*; sepsis3 \(sofa_time, any_culture\), horizon .*\),"
        r" expected the same",
    ):
        compare_versions(second.version, other, None, None, settings)
    task = first.card.task.model_copy(update={"at": first.card.task.at * 2})
    later = _another(settings, "2.0.0-y", first.version, task=task)
    with pytest.raises(ModelError, match=r"from 6h; .* from 12h"):
        compare_versions(second.version, later, None, None, settings)


def test_versions_of_different_conditions_or_of_none_are_refused(two, settings) -> None:
    _, first, second = two
    _another(settings, "3.0.0-z", first.version, condition="mortality")
    with pytest.raises(ModelError, match=r"are of different conditions \(sepsis, mortality\)"):
        compare_versions(first.version, "3.0.0-z", None, None, settings)
    with pytest.raises(ModelError, match=r"has no version 'nonsense'; `wardround model list`"):
        compare_versions(first.version, "nonsense", None, None, settings)
    for version in (first.version, second.version):
        _another(settings, version, version, condition="mortality")
    with pytest.raises(ModelError, match=r"for several conditions \(mortality, sepsis\); say which with --condition"):
        compare_versions(first.version, second.version, None, None, settings)
    assert compare_versions(first.version, second.version, "sepsis", None, settings).condition == "sepsis"


def test_a_version_whose_files_were_changed_is_not_compared(two, settings) -> None:
    _, first, second = two
    (settings.models / "sepsis" / second.version / "model.joblib").write_bytes(b"")
    with pytest.raises(ModelError, match="its digest is not the one recorded"):
        compare_versions(first.version, second.version, None, None, settings)


def test_the_command_shows_both_with_what_to_know_first_and_gives_the_same_as_json(two, monkeypatch) -> None:
    settings, first, second = two
    for name, place in (("HOME", settings.home), ("RUNS", settings.runs), ("MODELS", settings.models)):
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    monkeypatch.setenv("COLUMNS", "300")
    arguments = ["model", "compare", first.version, second.version]
    shown = CliRunner().invoke(wardround, arguments)
    assert shown.exit_code == 0, shown.exception
    lines = shown.stdout.splitlines()
    assert lines[0] == f"{first.version} learned from none of these test patients."
    assert "the comparison is not fair" in lines[1]
    assert f"{first.card.split.test.patients} patients" in lines[2]
    assert "predictions per 100 patient-days, moderate or high" in shown.stdout
    # A figure has an interval, or a reason why it has none.
    assert all("(" in cell for line in lines[6:-1] for cell in line.split("│")[2:5] if any(map(str.isdigit, cell)))
    said = json.loads(CliRunner().invoke(wardround, [*arguments, "--json"]).stdout)
    assert Metric.model_validate(said["metrics"]["auroc"]["first"]) == first.card.metrics["auroc"]
    assert said["fairness"]["first"] == lines[0]


def _imported(settings: Settings, folder: Path, seed: int) -> str:
    """A version that was trained elsewhere, on one column."""
    file = folder / f"{seed}.joblib"
    lactate = np.random.default_rng(seed).uniform(0.5, 8, size=(200, 1))
    model = LogisticRegression().fit(lactate, (lactate[:, 0] > 3).astype(int))
    metadata = {"feature_names": ["lactate__max_24h"], "medians": {"lactate__max_24h": 1.5}}
    joblib.dump({"model": model, "metadata": {**metadata, "metrics": {"optimal_threshold": 0.4}}}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    request = ImportRequest(file=file, condition="sepsis", trusted=digest, trusted_by="ann", created=NOW)
    return import_model(request, settings).version


def test_a_version_from_elsewhere_is_compared_with_unknown_training_data_and_two_such_are_refused(
    two, settings, tmp_path
) -> None:
    _, first, _ = two
    elsewhere, another = (_imported(settings, tmp_path, seed) for seed in (1, 2))
    found = compare_versions(elsewhere, first.version, None, None, settings)
    assert found.patients.startswith(f"the test patients of {first.version}")
    assert (found.first.seen.answer, found.second.seen.answer) == ("unknown", "no")
    assert found.notes == (
        f"{elsewhere} was trained elsewhere: which label and patients it learned from is not stated.",
    )
    with pytest.raises(ModelError, match="both were trained elsewhere, so there are no patients"):
        compare_versions(elsewhere, another, None, None, settings)
