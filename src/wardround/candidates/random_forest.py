"""Random forest; contributions in probability, attributed along each tree's decision path.

Each split moves the expected probability from that of the parent node to that of the child; the move is the
contribution of the column that was split on. The moves in a tree add up to the probability of its leaf minus that of
its root; the forest's contributions are the mean over its trees (path attribution, Saabas' method). This is not SHAP:
exact SHAP values of 200 deep trees take a hundred times as long, 6 to 8 ms per stay, where a whole screening takes
less than 3 ms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, ClassVar, Final, Self

import numpy as np

from wardround.candidates.base import Attribution, Contributions, Fitted, HyperParameters, Unit
from wardround.candidates.forest_nodes import ForestNodes, TreeArrays
from wardround.candidates.scikit_learn_file import numbers_in

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

# One thread: scikit-learn's threads reset the process's warning filters under each other (`sklearn.utils.parallel`), so
# that on a busy machine a fit fails with its own warning, or leaves the process without filters.
_THREADS: Final = 1
# The most rows that a tree sees: on the whole of MIMIC-IV, more would cost hours and change little.
_MOST_ROWS: Final = 50_000
_ROWS_AT_ONCE: Final = 2048  # how many rows have their sums in memory at once
# Up to this many rows, going down all trees at once takes less time than loading scikit-learn, which more rows need:
# for the 200 of a screening's chunk 5 ms instead of 3, once loaded, and for one row a fifth.
_FEW_ROWS: Final = 400
# Sizeable leaves: small ones memorise single patients.
_TREES: Final = {"n_estimators": 200}
_SETTINGS: Final = (
    {**_TREES, "min_samples_leaf": 5, "max_depth": 10, "max_features": 0.1},
    {**_TREES, "min_samples_leaf": 20, "max_depth": 10, "max_features": 0.1},
    {**_TREES, "min_samples_leaf": 5, "max_depth": 10, "max_features": 0.25},
    {**_TREES, "min_samples_leaf": 10, "max_depth": 6, "max_features": 0.15},
    {**_TREES, "min_samples_leaf": 50, "max_depth": 16, "max_features": 0.15},
    {**_TREES, "min_samples_leaf": 2, "max_depth": 16, "max_features": 0.15},
)


@dataclass(frozen=True)
class RandomForest(Fitted):
    """A forest of shallow trees with sizeable leaves, without class weights: they would distort the probabilities.

    `whole` gives scikit-learn's own forest, for many rows and for its file.
    """

    nodes: ForestNodes
    whole: "Callable[[], RandomForestClassifier]"
    title: ClassVar[str] = "Random forest"
    unit: ClassVar[Unit] = "probability"
    explained_by: ClassVar[Attribution] = "path_attribution"
    file_name: ClassVar[str] = "model.joblib"
    library: ClassVar[str] = "scikit-learn"
    thrift: ClassVar[HyperParameters] = {"n_estimators": 50}
    settings: ClassVar[tuple[HyperParameters, ...]] = _SETTINGS

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        from sklearn.ensemble import RandomForestClassifier

        chosen = setting or _SETTINGS[0]
        forest = RandomForestClassifier(
            **chosen,
            max_samples=min(len(inputs), _MOST_ROWS),
            n_jobs=_THREADS,
            random_state=seed,
        )
        forest.fit(inputs, outcome)
        stored = (one.tree_.__getstate__() for one in forest.estimators_)
        return cls(ForestNodes.of(TreeArrays(tree["nodes"], tree["values"]) for tree in stored), lambda: forest)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self._predicted(self._leaves(inputs))

    def contributions(self, inputs: np.ndarray) -> Contributions:
        return self._contributed(self._leaves(inputs), inputs.shape)

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        leaves = self._leaves(inputs)
        return self._predicted(leaves), self._contributed(leaves, inputs.shape)

    def _predicted(self, leaves: np.ndarray) -> np.ndarray:
        # predict_proba is avoided because its threads sum the trees in the order in which they finish, and numpy's sum
        # because its order of addition depends on the number of rows.
        total = np.empty(leaves.shape[1])
        for start in range(0, len(total), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            total[rows] = np.add.accumulate(self.nodes.probability[leaves[:, rows]], axis=0)[-1]
        return total / len(leaves)

    def _contributed(self, leaves: np.ndarray, shape: tuple[int, ...]) -> Contributions:
        nodes, node = self.nodes, leaves
        rows, columns = shape
        row = np.broadcast_to(np.arange(rows), node.shape)
        total = np.zeros(rows * columns)
        # Goes from the leaves of all trees at once up to their roots, one move at a time.
        while (inner := nodes.parent[node] >= 0).any():
            node, row = node[inner], row[inner]
            parent = nodes.parent[node]
            move = nodes.probability[node] - nodes.probability[parent]
            total += np.bincount(row * columns + nodes.column[parent], move, minlength=rows * columns)
            node = parent
        roots = nodes.probability[nodes.roots]
        return Contributions(total.reshape(rows, columns) / len(roots), float(np.mean(roots)))

    def _leaves(self, inputs: np.ndarray) -> np.ndarray:
        """Returns trees x rows: the leaf that each row falls into, numbered across all trees."""
        exact = np.ascontiguousarray(inputs, dtype=np.float32)
        if len(exact) <= _FEW_ROWS:
            return self.nodes.leaves(exact)
        trees = zip(self.whole().estimators_, self.nodes.roots, strict=True)
        return np.array([estimator.tree_.apply(exact) + root for estimator, root in trees])

    def dump(self) -> bytes:
        import joblib

        file = BytesIO()
        joblib.dump(self.whole(), file, compress=3)
        return file.getvalue()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        @cache
        def whole() -> "RandomForestClassifier":
            import joblib

            forest: RandomForestClassifier = joblib.load(BytesIO(content))
            return forest

        trees = (one.tree_ for one in numbers_in(content).estimators_)
        return cls(ForestNodes.of(TreeArrays(tree.nodes, tree.values) for tree in trees), whole)
