"""Random forest; contributions in probability, attributed along each tree's decision path.

Each split moves the expected probability from the parent node's to the child's; the move is the contribution of the
column that was split on. A tree's moves sum to its leaf's probability less its root's, the forest's are the mean of
its trees' (Saabas' method).
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar, Final, Self

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from wardround.core.candidates.base import Contributions, Fitted, HyperParameters, Unit

_THREADS: Final = 2
# Rows that a tree sees at most: on the whole of MIMIC-IV more would cost hours and change little.
_MOST_ROWS: Final = 50_000
# Sizeable leaves: small ones learn single patients by heart.
_TREES: Final = {"trees": 200}
_SETTINGS: Final = (
    {**_TREES, "smallest_leaf": 5, "deepest": 10, "columns": 0.1},
    {**_TREES, "smallest_leaf": 20, "deepest": 10, "columns": 0.1},
    {**_TREES, "smallest_leaf": 5, "deepest": 10, "columns": 0.25},
    {**_TREES, "smallest_leaf": 10, "deepest": 6, "columns": 0.15},
    {**_TREES, "smallest_leaf": 50, "deepest": 16, "columns": 0.15},
    {**_TREES, "smallest_leaf": 2, "deepest": 16, "columns": 0.15},
)


@dataclass(frozen=True)
class RandomForest(Fitted):
    """A forest of shallow trees with sizeable leaves, without class weights: they would distort the probabilities."""

    forest: RandomForestClassifier
    title: ClassVar[str] = "Random forest"
    unit: ClassVar[Unit] = "probability"
    file_name: ClassVar[str] = "model.joblib"
    library: ClassVar[str] = "scikit-learn"
    thrift: ClassVar[HyperParameters] = {"trees": 50}
    settings: ClassVar[tuple[HyperParameters, ...]] = _SETTINGS

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        chosen = setting or _SETTINGS[0]
        forest = RandomForestClassifier(
            n_estimators=chosen["trees"],
            min_samples_leaf=chosen["smallest_leaf"],
            max_depth=chosen["deepest"],
            max_features=chosen["columns"],
            max_samples=min(len(inputs), _MOST_ROWS),
            n_jobs=_THREADS,
            random_state=seed,
        )
        return cls(forest.fit(inputs, outcome).set_params(n_jobs=1))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        # Not predict_proba: with threads it sums the trees in the order in which they happen to finish.
        total = np.zeros(len(inputs))
        for tree, leaf in self._leaves(inputs):
            total += tree.value[leaf, 0, 1]
        return total / len(self.forest.estimators_)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        total = np.zeros(inputs.shape)
        for tree, leaf in self._leaves(inputs):
            total += _moves_to_each_node(tree, inputs.shape[1])[leaf]
        roots = [estimator.tree_.value[0, 0, 1] for estimator in self.forest.estimators_]
        return Contributions(total / len(roots), float(np.mean(roots)))

    def _leaves(self, inputs: np.ndarray) -> list[tuple[Any, np.ndarray]]:
        """Each tree with the leaf that each row falls into."""
        exact = np.ascontiguousarray(inputs, dtype=np.float32)
        return [(estimator.tree_, estimator.tree_.apply(exact)) for estimator in self.forest.estimators_]

    def dump(self) -> bytes:
        file = BytesIO()
        joblib.dump(self.forest, file, compress=3)
        return file.getvalue()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        return cls(joblib.load(BytesIO(content)))


def _moves_to_each_node(tree: Any, columns: int) -> np.ndarray:
    """Nodes x columns: the moves of the probability on the way from the root to each node, by the column split on."""
    moves = np.zeros((tree.node_count, columns))
    probability = tree.value[:, 0, 1]
    # A node's children come after it, so that its own moves are complete when they are handed on.
    for node in np.flatnonzero(tree.children_left >= 0):
        for child in (tree.children_left[node], tree.children_right[node]):
            moves[child] = moves[node]
            moves[child, tree.feature[node]] += probability[child] - probability[node]
    return moves
