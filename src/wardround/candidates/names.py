"""Lists the candidates' names, for code that only needs names: the candidates themselves take seconds to import."""

from typing import Final

# Simplest first: among candidates with equal F1 the first one is chosen.
CANDIDATE_NAMES: Final = ("logistic_regression", "random_forest", "xgboost")
