"""Maps the names that cards and task ids use to the candidates, each imported when it is first looked up."""

from collections.abc import Iterator, Mapping
from typing import Final

from wardround.candidates.base import Fitted
from wardround.candidates.names import CANDIDATE_NAMES


class _Candidates(Mapping[str, type[Fitted]]):
    """A screening needs one candidate; XGBoost would cost it time and memory if another one is live."""

    def __getitem__(self, name: str) -> type[Fitted]:
        match name:
            case "logistic_regression":
                from wardround.candidates.logistic_regression import LogisticRegression

                return LogisticRegression
            case "random_forest":
                from wardround.candidates.random_forest import RandomForest

                return RandomForest
            case "xgboost":
                from wardround.candidates.boosted_trees import BoostedTrees

                return BoostedTrees
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(CANDIDATE_NAMES)

    def __len__(self) -> int:
        return len(CANDIDATE_NAMES)


CANDIDATES: Final = _Candidates()
