"""The candidates by the name that cards and task ids use. Importing this file imports scikit-learn and XGBoost."""

from typing import Final

from wardround.core.candidates.base import Fitted
from wardround.core.candidates.boosted_trees import BoostedTrees
from wardround.core.candidates.logistic_regression import LogisticRegression
from wardround.core.candidates.names import CANDIDATE_NAMES
from wardround.core.candidates.random_forest import RandomForest

CANDIDATES: Final[dict[str, type[Fitted]]] = dict(
    zip(CANDIDATE_NAMES, (LogisticRegression, RandomForest, BoostedTrees), strict=True)
)
