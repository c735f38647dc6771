"""What a condition's columns are about, variables and demographics, and of which of these a row knows anything."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from wardround.features.build import WITHOUT_EVENTS
from wardround.spec.conditions import Condition


@dataclass(frozen=True, eq=False)
class Subjects:
    """The variables and demographics that a condition's columns are about.

    Attributes:
        condition: the spec.
        names: of each subject, in the order of their first columns.
        columns: the places of all columns in `condition.columns`, those of a subject together.
        starts: where each subject begins in `columns`.
    """

    condition: Condition
    names: tuple[str, ...]
    columns: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, condition: Condition) -> Self:
        places: dict[str, list[int]] = {}
        about = (*condition.features.demographics, *(feature.variable for feature in condition.feature_list))
        for place, name in enumerate(about):
            places.setdefault(name, []).append(place)
        sizes = [len(mine) for mine in places.values()]
        return cls(
            condition,
            tuple(places),
            np.array([place for mine in places.values() for place in mine]),
            np.cumsum([0, *sizes[:-1]]),
        )

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many columns each subject has."""
        return np.diff(self.starts, append=len(self.columns))

    def known(self, values: np.ndarray) -> np.ndarray:
        """Returns rows x subjects: whether at least one of the subject's columns knows anything.

        Args:
            values: rows x `condition.columns`.
        """
        known = ~np.isnan(values) & (values != self._nothing)
        return np.logical_or.reduceat(known[:, self.columns], self.starts, axis=1)

    @cached_property
    def _nothing(self) -> np.ndarray:
        """The value of each column where there is no event."""
        demographics = [np.nan] * len(self.condition.features.demographics)
        windowed = (WITHOUT_EVENTS.get(feature.summary, np.nan) for feature in self.condition.feature_list)
        return np.array([*demographics, *windowed])
