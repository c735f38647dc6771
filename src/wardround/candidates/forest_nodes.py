"""The nodes of a random forest as arrays, and how rows go down all of its trees at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np


class TreeArrays(NamedTuple):
    """A tree as scikit-learn stores it.

    Attributes:
        nodes: with the fields left_child, right_child, feature and threshold; -1 is the child of a leaf.
        values: nodes x outputs x classes: the shares of the classes in each node.
    """

    nodes: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class ForestNodes:
    """The nodes of all trees, one tree after another.

    Attributes:
        roots: where each tree begins.
        parent: the node above; -1 for a root.
        column: the column that an inner node splits on.
        threshold: the highest value that goes to the first child.
        children: nodes x 2; -1 for a leaf.
        probability: the probability of the outcome in each node.
    """

    roots: np.ndarray
    parent: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    probability: np.ndarray

    @classmethod
    def of(cls, trees: Iterable[TreeArrays]) -> Self:
        stored = list(trees)
        roots = np.cumsum([0, *(len(tree.nodes) for tree in stored[:-1])])
        nodes = np.concatenate([tree.nodes for tree in stored])
        children = np.stack((nodes["left_child"], nodes["right_child"]), axis=1).astype(np.int64)
        inner = np.flatnonzero(children[:, 0] >= 0)
        root = np.repeat(roots, [len(tree.nodes) for tree in stored])
        children[inner] += root[inner, None]
        parent = np.full(len(children), -1)
        parent[children[inner]] = inner[:, None]
        probability = np.concatenate([tree.values[:, 0, 1] for tree in stored])
        column, threshold = nodes["feature"].astype(np.int64), np.ascontiguousarray(nodes["threshold"])
        return cls(roots, parent, column, threshold, children, probability)

    def leaves(self, inputs: np.ndarray) -> np.ndarray:
        """Returns trees x rows: the leaf that each row of float32 inputs falls into, numbered across all trees.

        For a few rows this takes a tenth of the time of going through 200 trees one after another.
        """
        node = np.repeat(self.roots, len(inputs))
        row = np.tile(np.arange(len(inputs)), len(self.roots))
        going = np.flatnonzero(self.children[node, 0] >= 0)
        while len(going):
            at = node[going]
            right = inputs[row[going], self.column[at]] > self.threshold[at]
            node[going] = at = self.children[at, right.astype(np.int64)]
            going = going[self.children[at, 0] >= 0]
        return node.reshape(len(self.roots), len(inputs))
