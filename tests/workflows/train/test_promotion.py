"""From a trained model to a live one: comparison, gates, and approval."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.core import run_files
from wardround.errors import ModelError, TrainingError
from wardround.evaluation.comparison import Seen
from wardround.evaluation.comparison_text import as_markdown
from wardround.model_card.against_live import against_live
from wardround.results.training_hours import TrainingHours
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.workflows.train import (
    TrainingRequest,
    compare,
    is_live,
    leave,
    promote,
    require_gates,
    resume,
    train,
    why_unasked,
)
from wardround.workflows.train.run import load_run
from wardround.workflows.train.table import TEST

NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(two, tmp_path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def settings(two, tmp_path) -> Settings:
    """The runs and models of `two`, copied into a home of their own."""
    made, _, _ = two
    for name, folder in (("home", made.home), ("runs", Path(made.runs)), ("models", made.models)):
        shutil.copytree(folder, tmp_path / name)
    return replace(made, home=tmp_path / "home", runs=str(tmp_path / "runs"), models=tmp_path / "models")


def change_spec(settings: Settings, old: str, new: str) -> None:
    path = settings.schemas / "conditions" / "sepsis.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def change_request(settings: Settings, run: str, **changes: object) -> None:
    folder = RunFolder.existing(settings.runs, run)
    folder.write_json("request.json", {**folder.read_json("request.json"), **changes})


def nothing_is_live(settings: Settings) -> None:
    path = settings.models / "sepsis" / "decisions.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "promoted" not in line))


def strict(settings: Settings) -> None:
    """Gates that judge even the few patients of these tests, and that no model passes."""
    with (settings.schemas / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("\npromotion: {min_patients: 1, calibration_slope: {min: 90, max: 99}}\n")


def test_the_first_model_is_compared_with_nothing_and_goes_live(two) -> None:
    _, first, _ = two
    assert first.live
    assert (first.comparison.live, first.comparison.metrics["auroc"].live) == (None, None)


def test_the_next_is_compared_on_its_own_test_patients_and_stays_stored(two) -> None:
    _, first, second = two
    assert (second.live, second.comparison.live) == (False, first.version)
    assert second.comparison.test.patients == second.card.split.test.patients
    assert second.comparison.metrics["auroc"].candidate == second.card.metrics["auroc"]
    assert second.comparison.metrics["auroc"].difference.value is not None


def test_a_comparison_shows_how_many_of_its_patients_the_live_model_learned_from(two) -> None:
    settings, first, second = two
    tables = [RunFolder.of(settings.runs, each.run).read_frame(run_files.TABLE) for each in (first, second)]
    learned, tested = (
        {*table.loc[(table["fold"] == TEST) == test, "patient_id"]}
        for table, test in zip(tables, (False, True), strict=True)
    )
    assert second.comparison.seen == Seen(answer="yes", patients=len(learned & tested))
    assert 0 < len(learned & tested) < len(tested)


def test_without_its_training_run_it_is_unknown_what_a_model_learned_from_unless_it_used_the_same_table(
    two, settings
) -> None:
    _, first, second = two
    shutil.rmtree(Path(settings.runs) / first.run)
    assert compare(second.run, settings).seen == Seen(answer="unknown")
    promote(second.run, "bob", "better", settings)
    assert compare(second.run, settings).seen == Seen(answer="no")


def test_with_few_test_patients_no_gate_judges(two) -> None:
    assert {gate.passed for gate in two[2].comparison.gates} == {None}
    assert two[2].comparison.failed == ""
    assert two[2].comparison.verdict == "not_judged"


def test_an_unjudged_first_model_goes_live_and_is_recorded_as_unjudged(two) -> None:
    settings, first, second = two
    said = [(each.what, each.version) for each in ModelStore(settings.models).decisions("sepsis")]
    unjudged = [("gates_not_judged", one.version) for one in (first, second)]
    assert said == [unjudged[0], ("promoted", first.version), unjudged[1]]
    assert ModelStore(settings.models).live("sepsis").why == "first model of the condition; no gate could judge it"


def test_an_approved_model_goes_live_with_who_and_why(two, settings, store) -> None:
    _, first, second = two
    assert promote(second.run, "bob", "better", settings).version == second.version
    live = store.live("sepsis")
    assert (live.version, live.previous, live.by, live.why) == (second.version, first.version, "bob", "better")
    assert is_live(second.run, settings)


def test_a_rejected_or_unanswered_one_leaves_live_and_a_record(two, settings, store) -> None:
    _, first, second = two
    leave(second.run, "rejected", "bob", "too many alarms", settings)
    leave(second.run, "unanswered", "nobody", "no reason given", settings)
    assert store.live("sepsis").version == first.version
    assert [each.what for each in store.decisions("sepsis")][-2:] == ["rejected", "unanswered"]


@pytest.mark.parametrize(
    ("approval", "first", "later"),
    [
        ("ask", None, None),
        ("first_without_asking", "first model of the condition; no gate could judge it", None),
        ("never", "asked for in training (approval: never); no gate could judge it", ...),
    ],
)
def test_the_request_decides_whether_a_person_must_approve(two, settings, approval, first, later) -> None:
    run = two[2].run
    change_request(settings, run, approval=approval)
    assert why_unasked(run, settings) == (first if later is ... else later)
    nothing_is_live(settings)
    assert why_unasked(run, settings) == first


@pytest.mark.parametrize("approval", ["ask", "first_without_asking", "never"])
def test_a_rejected_version_goes_live_again_only_by_name(two, settings, store, approval) -> None:
    run, version = two[2].run, two[2].version
    change_request(settings, run, approval=approval)
    nothing_is_live(settings)
    leave(run, "rejected", "bob", "too many alarms", settings)
    assert why_unasked(run, settings) is None
    assert not resume(run, settings, "ann", lambda *_: None).live
    store.promote(load_run(run, settings).condition, version, "bob", "on second thought")
    assert resume(run, settings, "ann", lambda *_: None).live


def test_a_training_without_approval_does_not_bring_back_a_rolled_back_version(two, settings, store) -> None:
    _, first, second = two
    change_request(settings, second.run, approval="never")
    promote(second.run, "bob", "better", settings)
    store.rollback(load_run(second.run, settings).condition, "bob", "worse")
    assert not resume(second.run, settings, "ann", lambda *_: None).live
    assert store.live("sepsis").version == first.version


def test_a_failed_gate_is_recorded_and_stops_the_promotion_until_somebody_insists(two, settings, store) -> None:
    _, first, second = two
    strict(settings)
    comparison = compare(second.run, settings)
    with pytest.raises(TrainingError, match=r"stored, but may not go live: calibration slope .*--despite-gates"):
        require_gates(comparison)
    assert store.decisions("sepsis")[-1].what == "gates_failed"
    with pytest.raises(ModelError, match="a promotion gate failed"):
        promote(second.run, "bob", "better", settings)
    assert store.live("sepsis").version == first.version


def test_a_first_model_whose_gate_fails_does_not_go_live_either(two, settings, small_mimic, store) -> None:
    strict(settings)
    shutil.rmtree(settings.models)
    request = TrainingRequest(
        condition="sepsis", mimic=small_mimic, created=NOW, candidates=("logistic_regression",), budget=1
    )
    trained = train(request, settings, "ann", lambda *_: None)
    assert (trained.live, store.live("sepsis"), store.versions("sepsis")) == (False, None, (trained.version,))


def test_another_live_model_than_the_compared_one_needs_a_new_comparison(two, settings, store) -> None:
    _, _, second = two
    path = settings.models / "sepsis" / "decisions.jsonl"
    other = json.loads(path.read_text().splitlines()[1]) | {"version": "1.0.0-other"}
    path.write_text(path.read_text() + json.dumps(other) + "\n")
    with pytest.raises(ModelError, match="other is live now; compare again"):
        promote(second.run, "bob", "better", settings)


def test_a_live_model_that_cannot_be_scored_does_not_prevent_training(two, settings, store) -> None:
    _, first, second = two
    model = next((settings.models / "sepsis" / first.version).glob("model.*"))
    model.write_bytes(b"another")
    comparison = compare(second.run, settings)
    assert "its digest is not the one recorded" in comparison.not_scored
    assert comparison.metrics["auroc"].live is None


def _covering(settings: Settings, live: str, first: int, last: int) -> str:
    """Makes a copy of the live version live, whose card says that it covers these hours."""
    store, version = ModelStore(settings.models), "1.0.0-c0ffee"
    card, condition = store.card("sepsis", live), load_condition("sepsis", settings.schemas)
    files = {name: (settings.models / "sepsis" / live / name).read_bytes() for name in card.files}
    hours = TrainingHours(first=timedelta(hours=first), last=timedelta(hours=last))
    store.save("sepsis", card.model_copy(update={"version": version, "training_hours": hours}), files)
    store.promote(condition, version, "ann", "for its hours")
    return version


def test_both_models_are_compared_at_the_hours_that_both_cover_and_the_rest_is_counted(two, settings) -> None:
    _, first, second = two
    version = _covering(settings, first.version, 1, 18)
    found = compare(second.run, settings)
    rows = load_run(second.run, settings).table.side(on_test=True).frame
    common = rows[rows["hour"].between(1, 18)]
    assert 0 < len(common) < len(rows)
    assert (found.live, found.not_scored) == (version, None)
    assert (found.test.rows, found.test.not_covered) == (len(common), len(rows) - len(common))
    assert found.test.patients == common["patient_id"].nunique()
    assert found.metrics["auroc"].candidate != second.card.metrics["auroc"]
    told = f"{len(rows) - len(common):,} of {len(rows):,} test predictions are left out for both models"
    assert told in as_markdown(found)
    assert any(told in note for note in against_live(found).notes)


def test_a_live_model_that_covers_none_of_the_hours_is_not_compared(two, settings) -> None:
    _, first, second = two
    _covering(settings, first.version, 2_000, 3_000)
    found = compare(second.run, settings)
    assert found.not_scored == "it covers none of the hours of these predictions"
    assert (found.test.rows, found.test.not_covered) == (second.comparison.test.rows, 0)
    assert found.metrics["auroc"].candidate == second.card.metrics["auroc"]


def test_a_changed_file_is_refused_when_compared_and_when_promoted(two, settings) -> None:
    _, _, second = two
    next((settings.models / "sepsis" / second.version).glob("model.*")).write_bytes(b"another")
    for step in (lambda: compare(second.run, settings), lambda: promote(second.run, "bob", "better", settings)):
        with pytest.raises(ModelError, match="its digest"):
            step()


def test_a_missing_digest_is_refused_when_promoted(two, settings) -> None:
    _, _, second = two
    path = settings.models / "sepsis" / "versions.json"
    recorded = json.loads(path.read_text())
    path.write_text(json.dumps({name: files for name, files in recorded.items() if name != second.version}))
    with pytest.raises(ModelError, match="is not a stored version"):
        promote(second.run, "bob", "better", settings)


def test_a_spec_that_changed_is_refused_when_promoted(two, settings) -> None:
    _, _, second = two
    change_spec(settings, "demographics:\n  - age\n  - sex", "demographics:\n  - age")
    with pytest.raises(TrainingError, match="the spec changed since the run was opened"):
        promote(second.run, "bob", "better", settings)
