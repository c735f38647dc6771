"""Tests docs/examples/convert_model.py: it converts a model from an older scikit-learn, or refuses it."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wardround.settings import PROJECT

SCRIPT = PROJECT / "docs" / "examples" / "convert_model.py"


def called(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fitted(model):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 3)) * (1, 20, 300) + (0, 80, 1000)
    return model.fit(rows, (rows[:, 1] + rng.normal(scale=10, size=200) > 80).astype(int))


@pytest.mark.parametrize(
    "model",
    [make_pipeline(StandardScaler(), LogisticRegression()), RandomForestClassifier(5, random_state=1)],
    ids=["pipeline", "forest"],
)
def test_a_model_with_unchanged_predictions_is_written_with_its_metadata(tmp_path: Path, model) -> None:
    old, answers, new = tmp_path / "old.joblib", tmp_path / "answers.npz", tmp_path / "new.joblib"
    joblib.dump({"model": fitted(model), "metadata": {"feature_names": ["a", "b", "c"]}}, old)
    assert called("ask", old, answers).returncode == 0
    probabilities = np.load(answers)["probabilities"]
    assert probabilities[:, 1].std() > 0.05
    done = called("convert", old, answers, new)
    assert done.returncode == 0, done.stderr
    carried = joblib.load(new)
    assert carried["metadata"] == {"feature_names": ["a", "b", "c"]}
    assert np.allclose(carried["model"].predict_proba(np.load(answers)["rows"]), probabilities, atol=1e-9)


def test_counts_in_leaves_from_before_1_5_become_fractions(tmp_path: Path) -> None:
    old, answers, new = tmp_path / "old.joblib", tmp_path / "answers.npz", tmp_path / "new.joblib"
    forest = fitted(RandomForestClassifier(5, random_state=1))
    joblib.dump({"model": forest}, old)
    called("ask", old, answers)
    for tree in (one.tree_ for one in forest.estimators_):
        state = tree.__getstate__()
        counts = np.asarray(state["values"]) * np.asarray(tree.weighted_n_node_samples)[:, None, None]
        tree.__setstate__({**state, "values": counts})
    joblib.dump({"model": forest}, old)
    assert called("convert", old, answers, new).returncode == 0
    rows, probabilities = (np.load(answers)[name] for name in ("rows", "probabilities"))
    assert np.allclose(joblib.load(new)["model"].predict_proba(rows), probabilities, atol=1e-9)


def test_a_model_with_changed_predictions_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    old, answers, new = tmp_path / "old.joblib", tmp_path / "answers.npz", tmp_path / "new.joblib"
    model = fitted(LogisticRegression())
    joblib.dump({"model": model}, old)
    called("ask", old, answers)
    model.intercept_ = model.intercept_ + 0.001
    joblib.dump({"model": model}, old)
    done = called("convert", old, answers, new)
    assert (done.returncode, "train the model again" in done.stderr) == (1, True)
    assert not new.exists()
    joblib.dump({"other": 1}, old)
    assert "cannot be carried over (KeyError)" in called("convert", old, answers, new).stderr
