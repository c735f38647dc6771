"""Compares XGBoost's usual setting with the one for large data at growing numbers of patients.

`python -m benchmarks.large_settings`. The patients are made up and the truth is known: a row an hour, whose outcome
depends on ten of its columns, on two products of columns, and on a level of the patient that no column shows. Models
are judged on new patients. `large` says whether a training would try the setting for large data.
"""

import argparse
from typing import Final

import numpy as np
import pandas as pd

from wardround.candidates.boosted_trees import BoostedTrees
from wardround.evaluation.measures import METRICS
from wardround.evaluation.metrics import auroc, measure_with_intervals
from wardround.training.fitting import TrainingRows
from wardround.training.nested import LARGE_POSITIVES, LARGE_WEIGHT, is_large, nested_cross_validation

ROWS: Final = 12
COLUMNS: Final = 60
WORTH: Final = 10
TESTED: Final = 6_000


def made_up(patients: int, seed: int) -> TrainingRows:
    """Returns rows of so many patients; three in a hundred rows have the outcome."""
    draw = np.random.default_rng(seed)
    own = np.repeat(draw.normal(size=(patients, COLUMNS + 1)), ROWS, axis=0)
    inputs = 0.8 * own[:, :COLUMNS] + 0.6 * draw.normal(size=(patients * ROWS, COLUMNS))
    signal = (
        0.25 * inputs[:, :WORTH].sum(axis=1) + 0.4 * inputs[:, 0] * inputs[:, 1] + 0.4 * inputs[:, 2] * inputs[:, 3]
    )
    chance = 1 / (1 + np.exp(4.4 - signal - 0.9 * own[:, COLUMNS]))
    names = [f"p{number}" for number in range(patients)]
    return TrainingRows(
        pd.DataFrame(inputs, columns=[f"c{number}" for number in range(COLUMNS)]),
        (draw.random(len(chance)) < chance).astype(int),
        np.repeat(np.arange(patients) % 5, ROWS),
        pd.Series(np.repeat(names, ROWS)),
    )


def _chosen(rows: TrainingRows, seed: int) -> str:
    """Returns the setting that a search with a budget of 2 chooses, and its rounds."""
    setting = nested_cross_validation(BoostedTrees, rows, 2, seed).setting
    large = setting["min_child_weight"] == BoostedTrees.large[0]["min_child_weight"]
    return f"{'for large data' if large else 'small'}, {setting['num_boost_round']} rounds"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--patients", type=int, nargs="+", default=[500, 1_000, 2_000, 4_000, 8_000, 16_000])
    asked.add_argument("--search", action="store_true", help="Also search both, as a training does (ten fits more).")
    given = asked.parse_args()
    test = made_up(TESTED, given.seed + 1)
    print(f"bound: a weight of {LARGE_WEIGHT:,} and {LARGE_POSITIVES} patients with the outcome; seed {given.seed}")
    print("| patients | with the outcome | rows | weight | large | usual | for large data | chosen |")
    print("| --: | --: | --: | --: | --- | --: | --: | --- |")
    for patients in given.patients:
        rows = made_up(patients, given.seed)
        share = rows.outcome.mean()
        figures = []
        for setting in (BoostedTrees.settings[0], BoostedTrees.large[0]):
            scores = BoostedTrees.fit(rows.features.to_numpy(), rows.outcome, given.seed, setting).predict(
                test.features.to_numpy()
            )
            found = measure_with_intervals(test.outcome, scores, 0.5, test.sample, {"auprc": METRICS["auprc"]})
            precision = found["auprc"].value or 0.0
            figures.append(f"{100 * auroc(test.outcome, scores):.1f} / {100 * precision:.1f}")
        cells = (
            f"{patients:,}",
            f"{rows.patients[rows.outcome == 1].nunique():,}",
            f"{len(rows.outcome):,}",
            f"{len(rows.outcome) * share * (1 - share):,.0f}",
            "yes" if is_large(rows) else "no",
            *figures,
            _chosen(rows, given.seed) if given.search else "",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
