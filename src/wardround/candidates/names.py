"""The candidates' names, for those who only ask for one: the candidates themselves take seconds to import."""

from typing import Final

# Simplest first: of candidates with equal F1 the first one is chosen.
CANDIDATE_NAMES: Final = ("logistic_regression", "random_forest", "xgboost")
