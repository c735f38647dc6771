"""Tests what the model store saves, what it refuses to load, and how versions go live and are rolled back."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.cards import card_of

from wardround.adapters.models.store import ModelStore
from wardround.candidates.registry import CANDIDATES
from wardround.errors import ConditionSuspended, ModelError
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.training.fitting import inputs_from
from wardround.training.model import Flow, ScoringModel, Side, Split

WHEN = datetime(2026, 3, 1, 5, tzinfo=UTC)
SIDE = Side(patients=10, stays=12, positives=3)


@pytest.fixture(scope="module")
def condition(schemas) -> Condition:
    return load_condition("mortality", schemas)


@pytest.fixture
def store(tmp_path) -> ModelStore:
    return ModelStore(tmp_path / "models", clock=lambda: WHEN)


def _features(condition: Condition, rows: int = 60) -> pd.DataFrame:
    values = np.random.default_rng(3).normal(size=(rows, len(condition.columns)))
    return pd.DataFrame(np.where(values > 1.5, np.nan, values), columns=list(condition.columns))


def _saved(store: ModelStore, condition: Condition, chosen: str = "xgboost", **changes: object) -> str:
    candidate = CANDIDATES[chosen]
    features = _features(condition)
    imputation = dict.fromkeys(condition.columns, 0.25)
    inputs = inputs_from(features, imputation)
    content = candidate.fit(inputs, (inputs[:, 0] > 0).astype(int), seed=1).dump()
    about = {
        "created": WHEN,
        "cohort": Flow(found=24, excluded={}, used=24),
        "split": Split(train=SIDE, test=SIDE, test_share=0.25, folds=5),
        "chosen": chosen,
        "thresholds": {"moderate": 0.2, "high": 0.4},
        "contributions_unit": candidate.unit,
        "imputation": imputation,
        "libraries": {"scikit-learn": "1.9.9", "xgboost-cpu": "3.2.9"},
        "files": {candidate.file_name: "0" * 64},
    }
    card = card_of(condition, **{**about, **changes})
    return store.save(condition.id, card, {candidate.file_name: content})


def _explained(model: ScoringModel, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return model.explained(model.inputs_among(list(features)).of(features.to_numpy(dtype=float)))


@pytest.mark.parametrize("chosen", CANDIDATES)
def test_a_stored_model_scores_by_column_name_alone_or_in_a_batch(store, condition, chosen) -> None:
    model = store.load(condition, _saved(store, condition, chosen))
    features = _features(condition)
    expected = model.predict(features)
    shuffled = features.sample(frac=1, random_state=1)
    permuted = features[sorted(features.columns, reverse=True)].assign(extra=1.0)
    assert np.array_equal(model.predict(shuffled), expected[shuffled.index])
    assert np.array_equal(model.predict(permuted), expected)
    assert [model.predict(features.iloc[[row]])[0] for row in range(20)] == expected[:20].tolist()
    assert np.array_equal(_explained(model, permuted)[1], _explained(model, features)[1])


def test_an_unknown_input_is_filled_from_the_card_whoever_else_is_scored(store, condition) -> None:
    model = store.load(condition, _saved(store, condition))
    unknown = pd.DataFrame([dict.fromkeys(condition.columns, np.nan)])
    company = pd.concat([unknown, _features(condition) + 100.0], ignore_index=True)
    filled = pd.DataFrame([model.card.imputation])
    assert model.predict(company)[0] == model.predict(unknown)[0] == model.predict(filled)[0]


def test_the_parts_of_a_score_add_up_to_it_with_the_bias(store, condition) -> None:
    model = store.load(condition, _saved(store, condition, "random_forest"))
    features = _features(condition)
    scores, parts = _explained(model, features)
    bias = model.fitted.contributions(np.zeros((1, len(condition.columns)))).bias
    assert scores == pytest.approx(model.predict(features), abs=1e-12)
    assert parts.sum(axis=1) + bias == pytest.approx(model.predict(features), abs=1e-9)


def test_no_rows_give_no_scores(store, condition) -> None:
    model = store.load(condition, _saved(store, condition))
    assert len(model.predict(_features(condition, rows=0))) == 0
    assert model.fitted.contributions(np.zeros((0, len(condition.columns)))).values.shape == (0, len(condition.columns))


def test_a_missing_column_is_an_error_that_names_it(store, condition) -> None:
    model = store.load(condition, _saved(store, condition))
    with pytest.raises(ModelError, match="column lactate__max_24h is missing"):
        model.predict(_features(condition).drop(columns="lactate__max_24h"))


def _folder(store: ModelStore, version: str) -> Path:
    return store.root / "mortality" / version


@pytest.mark.parametrize("name", ["model.ubj", "card.json"])
def test_a_changed_file_is_refused(store, condition, name) -> None:
    version = _saved(store, condition)
    path = _folder(store, version) / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelError, match=rf"{name}: its digest is not the one recorded.*train again"):
        store.load(condition, version)
    with pytest.raises(ModelError, match="its digest"):
        store.promote(condition, version, by="a", why="b")


def _tampered(store: ModelStore, condition: Condition) -> str:
    version = _saved(store, condition)
    (_folder(store, version) / "model.ubj").write_bytes(b"another model")
    return version


def _without_digest(store: ModelStore, condition: Condition) -> str:
    _folder(store, _saved(store, condition)).rename(_folder(store, "copied-in"))
    return "copied-in"


def _line(**said: object) -> str:
    return json.dumps({"when": WHEN.isoformat(), "by": "ann", "live": None, "why": "because", **said}) + "\n"


def _of_another_spec(store: ModelStore, condition: Condition) -> str:
    return _saved(store, condition, version="1.0.0-old", spec_digest="f" * 64)


REFUSED = {
    _tampered: "its digest",
    _without_digest: "is not a stored version",
    _of_another_spec: "another spec",
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.items())
def test_what_may_not_score_can_neither_be_loaded_nor_go_live(store, condition, spoil, message) -> None:
    live = _saved(store, condition, version="1.0.0-good")
    store.promote(condition, live, by="ann", why="first")
    version = spoil(store, condition)
    before = store.live("mortality"), store.decisions("mortality")
    with pytest.raises(ModelError, match=message):
        store.load(condition, version)
    with pytest.raises(ModelError, match=message):
        store.promote(condition, version, by="ann", why="better", despite_gates=True)
    assert (store.live("mortality"), store.decisions("mortality")) == before


@pytest.mark.parametrize(("spoil", "message"), REFUSED.items())
def test_there_is_no_way_back_to_what_may_not_score(store, condition, spoil, message) -> None:
    version = spoil(store, condition)
    live = _saved(store, condition, version="1.0.0-good")
    lines = [_line(what="promoted", version=one) for one in (version, live)]
    (store.root / "mortality" / "decisions.jsonl").write_text("".join(lines))
    with pytest.raises(ModelError, match=message):
        store.rollback(condition, by="bob", why="worse")
    assert store.live("mortality").version == live


def test_a_missing_file_is_refused(store, condition) -> None:
    version = _saved(store, condition)
    (_folder(store, version) / "model.ubj").unlink()
    with pytest.raises(ModelError, match=r"model\.ubj: cannot be read"):
        store.load(condition, version)


def test_a_folder_without_recorded_digests_is_refused(store, condition) -> None:
    version = _saved(store, condition)
    _folder(store, version).rename(_folder(store, "copied-in"))
    with pytest.raises(ModelError, match=r"'copied-in' is not a stored version, expected one of: 1\.0\.0-01"):
        store.load(condition, "copied-in")


def test_a_broken_record_of_digests_is_refused(store, condition) -> None:
    version = _saved(store, condition)
    (store.root / "mortality" / "versions.json").write_text("{")
    with pytest.raises(ModelError, match=r"versions\.json: not the model store's record of digests"):
        store.load(condition, version)


def test_a_model_of_another_spec_is_refused(store, condition) -> None:
    version = _saved(store, condition, spec_digest="f" * 64)
    with pytest.raises(ModelError, match=r"trained for another spec.*train again, or restore include/schemas"):
        store.load(condition, version)


def test_a_model_of_another_release_of_its_library_is_refused(store, condition) -> None:
    version = _saved(store, condition, libraries={"xgboost-cpu": "2.1.0"})
    with pytest.raises(ModelError, match=r"trained with xgboost-cpu 2\.1\.0, but 3\.\d+\.\d+ is installed"):
        store.load(condition, version)


def test_saving_again_changes_nothing_and_mends_a_broken_folder(store, condition) -> None:
    version = _saved(store, condition)
    card = (_folder(store, version) / "card.json").read_bytes()
    assert _saved(store, condition, created=WHEN + timedelta(days=1)) == version
    assert (_folder(store, version) / "card.json").read_bytes() == card
    (_folder(store, version) / "model.ubj").write_bytes(b"")
    _saved(store, condition)
    assert store.load(condition, version).version == version


def test_nothing_but_whole_folders_and_records_is_left_behind(store, condition) -> None:
    _saved(store, condition)
    assert sorted(path.name for path in (store.root / "mortality").iterdir()) == [
        ".lock",
        "1.0.0-0123456789ab",
        "versions.json",
    ]


def test_without_a_live_model_the_error_says_what_to_do(store, condition) -> None:
    with pytest.raises(ModelError, match="no model is live; train one with `wardround train mortality --mimic DIR`"):
        store.load(condition)
    version = _saved(store, condition)
    with pytest.raises(ModelError, match=f"no model is live; promote one with .*; stored versions: {version}"):
        store.load(condition)


def test_promote_and_rollback_remember_the_version_before(store, condition) -> None:
    first, second = (_saved(store, condition, version=f"1.0.0-{n}") for n in "ab")
    store.promote(condition, first, by="ann", why="first")
    live = store.promote(condition, second, by="ann", why="better")
    assert (live.version, live.previous, live.by, live.when, live.why) == (second, first, "ann", WHEN, "better")
    assert store.load(condition).version == second
    assert json.loads((store.root / "mortality" / "live.json").read_text()).keys() == set(type(live).model_fields)
    assert store.rollback(condition, by="bob", why="worse").version == first
    assert store.load(condition).version == first


def test_every_decision_is_kept_with_who_and_why(store, condition) -> None:
    first, second = (_saved(store, condition, version=f"1.0.0-{n}") for n in "ab")
    store.promote(condition, first, by="ann", why="first")
    store.record("mortality", "rejected", second, by=" bob ", why="too many alarms")
    store.promote(condition, second, by="ann", why="on second thought")
    store.rollback(condition, by="cat", why="too many alarms indeed")
    kept = [(each.what, each.version, each.live, each.by) for each in store.decisions("mortality")]
    assert kept == [
        ("promoted", first, None, "ann"),
        ("rejected", second, first, "bob"),
        ("promoted", second, first, "ann"),
        ("rolled_back", first, second, "cat"),
    ]
    assert {each.when for each in store.decisions("mortality")} == {WHEN}


def test_nothing_is_decided_without_a_name_and_a_reason(store, condition) -> None:
    version = _saved(store, condition)
    for by, why in (("", "better"), ("ann", " ")):
        with pytest.raises(ModelError, match="the name or the reason is missing"):
            store.promote(condition, version, by=by, why=why)
    assert (store.live("mortality"), store.decisions("mortality")) == (None, ())


def test_a_version_whose_gates_failed_goes_live_only_despite_them(store, condition) -> None:
    version = _saved(store, condition)
    store.record("mortality", "gates_failed", version, by="gates", why="calibration slope 3.1")
    with pytest.raises(ModelError, match=r"a promotion gate failed \(calibration slope 3\.1\).*--despite-gates"):
        store.promote(condition, version, by="ann", why="better")
    store.promote(condition, version, by="ann", why="known, and accepted", despite_gates=True)
    assert store.decisions("mortality")[-1].despite_gates
    assert store.live("mortality").version == version


def test_gates_that_could_not_be_judged_neither_stop_nor_pass_a_version(store, condition) -> None:
    version = _saved(store, condition)
    assert store.standing("mortality").verdict(version) == "not_judged"
    store.record("mortality", "gates_not_judged", version, by="gates", why="not judged: too few to judge")
    store.promote(condition, version, by="ann", why="known, and accepted")
    assert store.standing("mortality").verdict(version) == "not_judged"
    assert not store.decisions("mortality")[-1].despite_gates


def test_the_gates_last_word_counts_and_a_promotion_that_needs_no_despite_says_none(store, condition) -> None:
    version = _saved(store, condition)
    store.record("mortality", "gates_failed", version, by="gates", why="calibration slope 3.1")
    store.record("mortality", "gates_passed", version, by="gates", why="all passed")
    store.promote(condition, version, by="ann", why="better", despite_gates=True)
    assert not store.decisions("mortality")[-1].despite_gates


def test_a_decision_that_a_repeated_task_says_again_is_kept_once(store, condition) -> None:
    version = _saved(store, condition)
    for why in ("too many alarms", "too many alarms", "still too many", "too many alarms"):
        store.record("mortality", "rejected", version, by="bob", why=why)
    said = [each.why for each in store.decisions("mortality")]
    assert said == ["too many alarms", "still too many", "too many alarms"]


def test_a_broken_line_of_the_decisions_is_an_error_that_names_the_file(store, condition) -> None:
    version = _saved(store, condition)
    (store.root / "mortality" / "decisions.jsonl").write_text('{"by": "ann"}\n')
    with pytest.raises(ModelError, match=r"decisions\.jsonl, line 1: not a decision"):
        store.promote(condition, version, by="ann", why="better")


def test_promoting_what_is_live_keeps_the_way_back(store, condition) -> None:
    first, second = (_saved(store, condition, version=f"1.0.0-{n}") for n in "ab")
    for version in (first, second, second):
        store.promote(condition, version, by="ann", why="b")
    assert store.live("mortality").previous == first


def _went(store: ModelStore, condition: Condition, way: str) -> list[str]:
    """Returns what is live after each step: a version is promoted, `<` rolls back, `!` before a version rejects it."""
    live = []
    for step in way.split():
        if step == "<":
            store.rollback(condition, by="bob", why="worse")
        elif step.startswith("!"):
            store.record("mortality", "rejected", step[1:], by="cat", why="too many alarms")
        else:
            store.promote(condition, _saved(store, condition, version=step), by="ann", why="better")
        live.append(store.live("mortality").version)
    return live


@pytest.mark.parametrize(
    ("way", "live"),
    [
        ("a b < <", "a b a a"),
        ("a b c < <", "a b c b b"),
        ("a b < c <", "a b a c a"),
        ("a b c < d < b", "a b c b d b b"),
        ("a b c < d b a <", "a b c b d b a b"),
        ("a b a <", "a b a b"),
        ("a b < b <", "a b a b a"),
        ("a b c !b <", "a b c c a"),
        ("a b !b c <", "a b b c b"),
        ("a b c < a <", "a b c b a b"),
    ],
)
def test_a_rollback_never_restores_a_withdrawn_version_and_a_repeat_is_ignored(store, condition, way, live) -> None:
    assert _went(store, condition, way) == live.split()


@pytest.mark.parametrize(
    ("way", "previous"), [("a", None), ("a b", "a"), ("a b <", None), ("a b c <", "a"), ("a b < c", "a")]
)
def test_the_version_before_is_the_one_that_going_back_may_lead_to(store, condition, way, previous) -> None:
    _went(store, condition, way)
    assert store.live("mortality").previous == previous
    assert json.loads((store.root / "mortality" / "live.json").read_text())["previous"] == previous


def test_there_is_no_way_back_to_the_only_version_that_was_live_before_and_was_rejected_since(store, condition) -> None:
    _went(store, condition, "a b !a")
    with pytest.raises(ModelError, match="or all were withdrawn; promote the one you want by name"):
        store.rollback(condition, by="bob", why="worse")
    assert store.live("mortality").version == "b"


def test_going_back_twice_is_recorded_once_and_says_who_was_first(store, condition) -> None:
    _went(store, condition, "a b <")
    again = store.rollback(condition, by="dan", why="me too")
    assert (again.version, again.by, again.why) == ("a", "bob", "worse")
    assert [each.what for each in store.decisions("mortality")] == ["promoted", "promoted", "rolled_back"]


def test_what_was_withdrawn_is_known_with_who_and_why_until_it_is_promoted_by_name(store, condition) -> None:
    _went(store, condition, "a b < !c")
    withdrawn = store.standing("mortality").withdrawn
    assert {version: (each.by, each.why) for version, each in withdrawn.items()} == {
        "b": ("bob", "worse"),
        "c": ("cat", "too many alarms"),
    }
    _went(store, condition, "b")
    assert set(store.standing("mortality").withdrawn) == {"c"}


def test_two_simultaneous_rollbacks_roll_back_once(store, condition) -> None:
    _went(store, condition, "a b c")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda who: store.rollback(condition, by=who, why="worse"), "pqrs"))
    assert store.live("mortality").version == "b"


def test_live_json_is_repaired_if_the_process_is_killed_after_the_decision(store, condition) -> None:
    _went(store, condition, "a b")
    path = store.root / "mortality" / "live.json"
    behind = path.read_text()
    store.rollback(condition, by="bob", why="worse")
    path.write_text(behind)
    assert store.live("mortality").version == "a"
    assert json.loads(path.read_text())["version"] == "a"


def test_rollbacks_of_an_earlier_release_are_read_as_they_happened(store, condition) -> None:
    steps = (("promoted", "a"), ("promoted", "b"), ("rolled_back", "a"), ("rolled_back", "b"))
    for version in "ab":
        _saved(store, condition, version=version)
    lines = "".join(_line(what=what, version=version) for what, version in steps)
    (store.root / "mortality" / "decisions.jsonl").write_text(lines)
    now = store.standing("mortality")
    assert (now.version, set(now.withdrawn), now.previous) == ("b", {"a"}, None)


def test_there_is_no_way_back_from_the_first_model(store, condition) -> None:
    store.promote(condition, _saved(store, condition), by="ann", why="b")
    with pytest.raises(ModelError, match="no version was live before"):
        store.rollback(condition, by="ann", why="b")


@pytest.mark.parametrize("condition_id", ["../x", "", "Sepsis", "a/b"])
def test_a_condition_id_is_never_a_path(store, condition_id) -> None:
    with pytest.raises(ModelError, match="expected an id such as sepsis"):
        store.versions(condition_id)


def test_the_version_names_the_content_and_not_the_time(store, condition) -> None:
    card = store.card("mortality", _saved(store, condition))
    version = card.content_version("1.2.0")
    assert version.startswith("1.2.0-")
    assert card.model_copy(update={"created": WHEN + timedelta(1), "version": "x"}).content_version("1.2.0") == version
    assert card.model_copy(update={"seed": 2}).content_version("1.2.0") != version


def test_a_cohort_whose_counts_do_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Flow(found=140, excluded={"open_stay": 3}, used=136)


def test_a_condition_is_suspended_from_the_first_who_says_so_until_somebody_resumes_it(store) -> None:
    for who in ("ann", "bob"):
        assert store.suspend("mortality", by=who, why=f"{who} says so").by == "ann"
    with pytest.raises(ConditionSuspended, match="mortality: suspended by ann since 2026-03-01T05:00:00Z"):
        store.require_active("mortality")
    assert store.resume("mortality", by="cat", why="mended").by == "ann"
    assert store.resume("mortality", by="dan", why="mended") is None
    store.require_active("mortality")
    store.require_active("sepsis")
    said = [(each.what, each.by, each.why) for each in store.decisions("mortality")]
    assert said == [
        ("suspended", "ann", "ann says so"),
        ("suspended", "bob", "bob says so"),
        ("resumed", "cat", "mended"),
    ]


def test_nobody_suspends_or_resumes_without_a_name_and_a_reason(store) -> None:
    for switch in (store.suspend, store.resume):
        for by, why in (("", "because"), ("ann", "\n")):
            with pytest.raises(ModelError, match="the name or the reason is missing"):
                switch("mortality", by=by, why=why)
    store.require_active("mortality")


def test_what_goes_live_meanwhile_leaves_a_condition_suspended(store, condition) -> None:
    store.suspend("mortality", by="ann", why="because")
    _went(store, condition, "a b <")
    with pytest.raises(ConditionSuspended):
        store.require_active("mortality")
    assert store.live("mortality").version == "a"


def test_who_suspends_while_others_decide_is_never_lost(store, condition) -> None:
    version = _saved(store, condition)
    decide = [lambda n=n: store.record("mortality", "rejected", version, by="ann", why=f"{n}") for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for work in (*decide, lambda: store.suspend("mortality", by="bob", why="x"))]:
            done.result()
    assert len(store.decisions("mortality")) == 21
    with pytest.raises(ConditionSuspended):
        store.require_active("mortality")
