"""The candidates by the name that cards and task ids use. Importing this file imports scikit-learn and XGBoost."""

from typing import Final

from wardround.core.candidates.base import Fitted
from wardround.core.candidates.boosted_trees import BoostedTrees
from wardround.core.candidates.logistic_regression import LogisticRegression
from wardround.core.candidates.random_forest import RandomForest

# Simplest first: of candidates with equal F1 the first one is chosen.
CANDIDATES: Final[dict[str, type[Fitted]]] = {
    "logistic_regression": LogisticRegression,
    "random_forest": RandomForest,
    "xgboost": BoostedTrees,
}
