"""A model pickled by an older scikit-learn, carried over to the release that is installed here, or refused.

    python convert_model.py ask OLD.joblib ANSWERS.npz                  in the old release: what it answers
    python convert_model.py convert OLD.joblib ANSWERS.npz NEW.joblib   in today's: the same answers, or no new file

A pickle of another release may load and answer wrongly: since 1.3 a tree's leaves hold shares where they held counts,
and a probability of 7.8 came out. So the old release answers made-up rows first, and a new file is written only if
today's release answers every one of them alike, to 1e-9. A joblib file is a program: open none that you do not trust.
"""

import sys
import warnings
from typing import Any

import joblib
import numpy as np

ROWS, SEED, ALIKE = 1000, 1, 1e-9


def ask(old: str, answers: str) -> None:
    """Writes made-up rows and what the model answers. Run it in the release that the model was pickled by."""
    model = joblib.load(old)["model"]
    rows = np.random.default_rng(SEED).normal(scale=3, size=(ROWS, model.n_features_in_))
    scaler = next((step for step in steps_of(model) if hasattr(step, "scale_")), None)
    if scaler is not None:  # rows like those that it was trained with
        rows = rows * scaler.scale_ + scaler.mean_
    np.savez(answers, rows=rows, probabilities=answered(model, rows))


def convert(old: str, answers: str, new: str) -> None:
    """Writes the model for today's release. Ends with a message if it does not answer as it did."""
    kept = np.load(answers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the release is another is why this is run
        try:
            pickled = joblib.load(old)
            model = pickled["model"]
            for step in steps_of(model):
                with_shares(step)
            difference = float(np.abs(answered(model, kept["rows"]) - kept["probabilities"]).max())
        except Exception as error:  # noqa: BLE001 - whatever a pickle of another release does
            sys.exit(f"{old}: cannot be carried over ({type(error).__name__}); train the model again in this release")
    if not difference <= ALIKE:
        sys.exit(f"{old}: answers differ by up to {difference:.3g} in this release; train the model again in it")
    joblib.dump(pickled, new)
    sys.stdout.write(f"{new}: answers {len(kept['rows'])} rows as before\n")


def answered(model: Any, rows: np.ndarray) -> np.ndarray:
    """The probabilities of these rows; a model that was fitted with names of columns gets them by place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(model.predict_proba(rows), dtype=float)


def steps_of(model: Any) -> list[Any]:
    """The model itself, or the steps of a pipeline."""
    return [step for _, step in model.steps] if hasattr(model, "steps") else [model]


def with_shares(model: Any) -> None:
    """Leaves that hold counts of a classifier get shares instead, as today's release expects."""
    trees = [model, *np.ravel(getattr(model, "estimators_", []))]
    for tree in (one.tree_ for one in trees if hasattr(one, "tree_") and hasattr(one, "classes_")):
        state = tree.__getstate__()
        values = np.asarray(state["values"], dtype=float)
        tree.__setstate__({**state, "values": values / values.sum(axis=2, keepdims=True)})


if __name__ == "__main__":
    verbs = {"ask": (ask, 2), "convert": (convert, 3)}
    verb, *files = sys.argv[1:] or [""]
    if verb not in verbs or len(files) != verbs[verb][1]:
        sys.exit(__doc__)
    verbs[verb][0](*files)
