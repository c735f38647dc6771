"""Maps the names that cards and task ids use to the candidates. Importing it imports scikit-learn and XGBoost."""

from typing import Final

from wardround.candidates.base import Fitted
from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.candidates.names import CANDIDATE_NAMES
from wardround.candidates.random_forest import RandomForest

CANDIDATES: Final[dict[str, type[Fitted]]] = dict(
    zip(CANDIDATE_NAMES, (LogisticRegression, RandomForest, BoostedTrees), strict=True)
)
